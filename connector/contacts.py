"""Whether phones and e-mail addresses can be right, without asking anybody: by the number plans
and by the rules for addresses. Each text is looked at once and remembered in `contact_checks`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable

import duckdb
import email_validator
import phonenumbers

from connector.countries import country_code
from connector.needs import EMAIL_VALID, PHONE_VALID, Needs
from connector.row_shape import identifier
from policies.evaluation.sql_text import literal

_CHUNK = 10_000
# Several in one field: "010-62628888；13800138000" or "a@x.cn, b@x.cn".
_BETWEEN = re.compile(r"[;,/|、\n]+")
_COLUMNS = {PHONE_VALID: "phone", EMAIL_VALID: "email"}


def phone_valid(text: str, region: str | None) -> bool | None:
    """Is this a number that a number plan knows? None: it says no country, nor do we know one.

    Of several in one field one that is right is enough.
    """
    whole = _number_valid(text, region)
    if whole:
        return whole
    parts = [_number_valid(part, region) for part in _parts(text)]
    return _any_of(parts) if len(parts) > 1 else whole


def email_valid(text: str) -> bool:
    """Is this an address that mail can be sent to, as far as its text tells?

    Of several in one field one that is right is enough.
    """
    return _address_valid(text.strip()) or any(map(_address_valid, _parts(text)))


def check_contacts(
    connection: duckdb.DuckDBPyConnection,
    needs: Needs,
    unmapped: Callable[[str], Collection[str]],
    scope: str,
) -> None:
    """Fill `phone_valid` and `email_valid` of the customers in `scope` (a condition on `c`).

    `unmapped` names the objects whose records do not show a column's field: nothing is known of
    them, where an empty field says that there is no contact.
    """
    for column, source in _COLUMNS.items():
        if column not in needs.derive:
            continue
        shown = f"({scope}) AND c.object NOT IN ({_listed(unmapped(source))})"
        country = "coalesce(c.country, '')" if column == PHONE_VALID else "''"
        text = f"c.{identifier(source)}"
        _remember(connection, needs, column, f"{text} AS text, {country} AS country", shown)
        connection.execute(
            f"UPDATE customers AS c SET {column} = false "
            f"WHERE {shown} AND trim(coalesce({text}, '')) = ''"
        )
        connection.execute(
            f"UPDATE customers AS c SET {column} = k.valid FROM contact_checks k WHERE {shown} "
            f"AND k.kind = {literal(column)} AND k.text = {text} AND k.country = {country}"
        )
    if scope == "true":
        _forget(connection)


def forget_checks(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop what was decided by other rules than today's: `rules_key` has changed."""
    connection.execute("DELETE FROM contact_checks")


def rules_key(needs: Needs) -> str:
    """What the answers depend on besides the text."""
    return f"{phonenumbers.__version__} {email_validator.__version__} {needs.region or ''}"


def _remember(
    connection: duckdb.DuckDBPyConnection, needs: Needs, kind: str, asked: str, shown: str
) -> None:
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE asked AS SELECT row_number() OVER () AS n, text, country "
        f"FROM (SELECT DISTINCT {asked} FROM customers c WHERE {shown}) a "
        "WHERE trim(coalesce(text, '')) <> '' AND NOT EXISTS (FROM contact_checks k "
        f"WHERE k.kind = {literal(kind)} AND k.text = a.text AND k.country = a.country)"
    )
    default = country_code(needs.region)
    start = 1
    while rows := connection.execute(
        "SELECT text, country FROM asked WHERE n BETWEEN ? AND ?", [start, start + _CHUNK - 1]
    ).fetchall():
        texts, countries = [row[0] for row in rows], [row[1] for row in rows]
        regions = {name: country_code(name) or default for name in set(countries)}
        valid = [
            phone_valid(text, regions[country]) if kind == PHONE_VALID else email_valid(text)
            for text, country in rows
        ]
        connection.execute(
            "INSERT INTO contact_checks SELECT $1, unnest($2::VARCHAR[]), unnest($3::VARCHAR[]), "
            "unnest($4::BOOLEAN[])",
            [kind, texts, countries, valid],
        )
        start += _CHUNK
    connection.execute("DROP TABLE asked")


def _forget(connection: duckdb.DuckDBPyConnection) -> None:
    """Nobody's number stays when its customer is gone."""
    connection.execute(
        "DELETE FROM contact_checks k WHERE k.text NOT IN "
        "(SELECT phone FROM customers WHERE phone IS NOT NULL "
        "UNION SELECT email FROM customers WHERE email IS NOT NULL)"
    )


def _number_valid(text: str, region: str | None) -> bool | None:
    number = unicodedata.normalize("NFKC", text).strip()
    if number.startswith("00") and region is None:
        number = f"+{number[2:]}"
    is_national = not number.startswith(("+", "(+"))
    if is_national and region is None:
        return None if any(map(str.isdigit, number)) else False
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.is_valid_number(parsed)


def _address_valid(text: str) -> bool:
    try:
        email_validator.validate_email(text, check_deliverability=False)
    except email_validator.EmailNotValidError:
        return False
    return True


def _parts(text: str) -> list[str]:
    normal = unicodedata.normalize("NFKC", text)
    return [part.strip() for part in _BETWEEN.split(normal) if part.strip()]


def _any_of(answers: Iterable[bool | None]) -> bool | None:
    found = set(answers)
    if True in found:
        return True
    return None if None in found else False


def _listed(names: Collection[str]) -> str:
    return ", ".join(map(literal, sorted(names))) or "''"
