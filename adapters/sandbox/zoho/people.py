"""The organisation's users: owners, managers and the user that the connector acts for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from adapters.sandbox.zoho.clock import OrgClock
from adapters.sandbox.zoho.database import Database

ADMINISTRATOR = "Administrator"
API_USER = "API user"


class User(NamedTuple):
    id: int
    name: str
    email: str
    status: str
    profile: str
    role: str
    manager: int | None
    region: str | None
    department: str | None
    modified: int

    @property
    def reference(self) -> dict[str, str]:
        return {"name": self.name, "id": str(self.id)}

    @property
    def is_admin(self) -> bool:
        return self.profile == ADMINISTRATOR


@dataclass(frozen=True)
class NewUser:
    name: str
    email: str
    status: Literal["active", "inactive", "deleted"] = "active"
    profile: str = "Standard"
    role: str = "Sales"
    manager: str | None = None
    region: str | None = None
    department: str | None = None


class People:
    def __init__(self, database: Database, clock: OrgClock) -> None:
        self._database = database
        self._clock = clock
        self._cache: dict[int, User] = {}
        self._load()
        if not self._cache:
            self.add(NewUser(API_USER, "api@example.com", profile=ADMINISTRATOR, role="System"))
        self.api_user = min(self._cache)

    def add(self, user: NewUser) -> str:
        number = self._database.take_ids(1)[0]
        manager = int(user.manager) if user.manager else None
        row = User(
            number,
            user.name,
            user.email,
            user.status,
            user.profile,
            user.role,
            manager,
            user.region,
            user.department,
            self._clock.now(),
        )
        with self._database.writing() as connection:
            connection.execute("INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
            self._cache[number] = row
        return str(number)

    def set_status(self, user: str, status: Literal["active", "inactive", "deleted"]) -> None:
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE users SET status = ?, modified = ? WHERE id = ?",
                (status, self._clock.now(), int(user)),
            )
            self._load()

    def all(self) -> list[User]:
        with self._database.reading():
            return list(self._cache.values())

    def get(self, number: int) -> User | None:
        return self._cache.get(number)

    def reference(self, number: int | None) -> dict[str, str] | None:
        user = self._cache.get(number) if number is not None else None
        return user.reference if user else None

    def _load(self) -> None:
        with self._database.reading() as connection:
            rows = connection.execute("SELECT * FROM users ORDER BY id").fetchall()
            self._cache = {row[0]: User._make(row) for row in rows}
