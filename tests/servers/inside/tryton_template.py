"""Fills a new Tryton database with modules, a company and keys; run in Tryton's own environment.

It takes half a minute, hence a template: each server gets a copy of the file.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
from decimal import Decimal
from pathlib import Path

from trytond import config
from trytond.pool import Pool
from trytond.transaction import Transaction

ADMINISTRATOR = 1
MODULE = "sale_opportunity"
COMPANY = "示例贸易 Example Trading"
SELLERS = ("Example Seller 1", "Example Seller 2", "Example Seller 3")
KEYS = ("key-of-a-test", "key-of-somebody-else")


def activate(file: Path) -> None:
    """All tables of the module and of those it builds on; nobody will know the password."""
    file.touch()  # an SQLite database has to be there before Tryton looks for it
    with tempfile.TemporaryDirectory() as folder:
        settings, password = Path(folder, "trytond.conf"), Path(folder, "password")
        settings.write_text(f"[database]\nuri = sqlite://\npath = {file.parent}\n")
        password.write_text(secrets.token_urlsafe())
        admin = str(Path(sys.executable).with_name("trytond-admin"))
        what = ["--database", file.stem, "--all", "--update", MODULE, "--activate-dependencies"]
        subprocess.run(
            [admin, "--config", str(settings), *what, "--email", "admin@example.com", "--password"],
            check=True,
            env={**os.environ, "TRYTONPASSFILE": str(password)},
        )


def furnish(name: str) -> None:
    with Transaction().start(name, ADMINISTRATOR):
        get = Pool().get
        (yuan,) = get("currency.currency").create(
            [
                {
                    "name": "CNY",
                    "code": "CNY",
                    "symbol": "¥",
                    "rounding": Decimal("0.01"),
                    "digits": 2,
                }
            ]
        )
        parties = get("party.party").create([{"name": name} for name in (COMPANY, *SELLERS)])
        (company,) = get("company.company").create([{"party": parties[0].id, "currency": yuan.id}])
        employees = get("company.employee").create(
            [{"party": party.id, "company": company.id} for party in parties[1:]]
        )
        users = get("res.user")
        works_here = {
            "companies": [("add", [company.id])],
            "company": company.id,
            "employees": [("add", [employees[0].id])],
            "employee": employees[0].id,
        }
        users.write([users(ADMINISTRATOR)], works_here)
        groups = ("add", [group.id for group in get("res.group").search([])])
        (other,) = users.create(
            [{"name": "Somebody Else", "login": "somebody", "groups": [groups], **works_here}]
        )
        get("res.user.application").create(
            [
                {"key": key, "user": user, "application": "rest"}
                for key, user in zip(KEYS, (ADMINISTRATOR, other.id), strict=True)
            ]
        )


if __name__ == "__main__":
    template = Path(sys.argv[1]).resolve()
    activate(template)
    config.set("database", "uri", "sqlite://")
    config.set("database", "path", str(template.parent))
    Pool.start()
    Pool(template.stem).init()
    furnish(template.stem)
