"""The journal's tables, its database engine, and how both come up to date.

SQLite by default, PostgreSQL by URL. No queries here, and no knowledge of what a row means.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Dialect,
    Engine,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    create_engine,
    event,
    inspect,
    text,
)
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DatabaseError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from connector.errors import ConfigurationError, RefusedError

REVISION = "0002"
BUSY_MILLISECONDS = 10_000
_MIGRATIONS = Path(__file__).parent / "migrations"
_WRITE = "journal_write"


class Moment(TypeDecorator[datetime]):
    """An instant in UTC as fixed-width ISO text: sorts as text, reads the same in any database."""

    impl = String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        del dialect
        return None if value is None else value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        del dialect
        return datetime.fromisoformat(value) if value else None


metadata = MetaData()

runs = Table(
    "runs",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("id", String(40), nullable=False, unique=True),
    Column("kind", String(20), nullable=False),
    Column("plan_id", String(40)),
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("status", String(20), nullable=False),
    Column("summary", LargeBinary, nullable=False),
)

plans = Table(
    "plans",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("id", String(40), nullable=False, unique=True),
    Column("fingerprint", String(64), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("policy_hash", String(64), nullable=False),
    Column("header", LargeBinary, nullable=False),
    Column("changes", Integer, nullable=False),
    Column("primitives", Integer, nullable=False),
    Column("calls", Integer, nullable=False),
    Column("cost", Integer, nullable=False),
    Column("started_at", Moment),
    Column("applied_at", Moment),
)

plan_rows = Table(
    "plan_rows",
    metadata,
    Column("plan", Integer, ForeignKey("plans.number"), primary_key=True, autoincrement=False),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("status", String(20), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("plan_rows_by_status", "plan", "status", "seq"),
)

approvals = Table(
    "approvals",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("plan", Integer, ForeignKey("plans.number"), nullable=False, index=True),
    Column("fingerprint", String(64), nullable=False),
    Column("who", Text, nullable=False),
    Column("how", Text, nullable=False),
    Column("at", Moment, nullable=False),
)

# `subject` names the value that a primitive changes (`tag:…`, `field:…`): with `customer` and
# `receipt` it tells who wrote that value last. `steps` is how many primitives the row has.
intents = Table(
    "intents",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("plan", Integer, ForeignKey("plans.number"), nullable=False),
    Column("key", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("step", Integer, nullable=False),
    Column("steps", Integer, nullable=False),
    Column("run_id", String(40), nullable=False),
    Column("batch_id", String(60), nullable=False),
    Column("operation", Text, nullable=False),
    Column("customer", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("primitive", LargeBinary, nullable=False),
    Column("state", String(20), nullable=False, index=True),
    Column("intended_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("code", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("remote_id", Text),
    Column("receipt", BigInteger, unique=True),
    UniqueConstraint("plan", "key"),
    Index("intents_by_row", "plan", "seq"),
    Index("intents_by_subject", "customer", "subject"),
)

holdings = Table(
    "holdings",
    metadata,
    Column("customer", Text, primary_key=True),
    Column("kind", String(20), primary_key=True),
    Column("target", Text, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("original", LargeBinary, nullable=False),
    Column("remote_id", Text),
)

episodes = Table(
    "episodes",
    metadata,
    Column("customer", Text, primary_key=True),
    Column("rule", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("stage", Text, nullable=False),
    Column("evidence_key", Text, nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("closed_at", Moment),
)


def open_engine(url_or_path: str | Path) -> Engine:
    """Connect to a journal, create it if it is not there, and bring its tables up to date."""
    is_url = isinstance(url_or_path, str) and "://" in url_or_path
    url = str(url_or_path) if is_url else _prepare_file(Path(url_or_path))
    place = "the journal's database" if is_url else f"the journal {url_or_path}"
    try:
        engine = create_engine(url)
    except (ImportError, SQLAlchemyError) as problem:
        raise ConfigurationError(
            f"{place} cannot be opened: {type(problem).__name__}",
            "check the URL; for PostgreSQL install `highseas[postgres]`",
        ) from problem
    _listen(engine)
    try:
        with writer(engine).begin() as connection:
            _upgrade(connection, place)
    except DatabaseError as problem:
        engine.dispose()
        raise ConfigurationError(
            f"{place} cannot be used: {type(problem.orig).__name__}",
            "it may be damaged, locked by another program or not a journal; restore a backup",
        ) from problem
    except BaseException:
        engine.dispose()
        raise
    return engine


def writer(engine: Engine) -> Engine:
    """The same engine for transactions that will write: SQLite then takes its lock at once."""
    return engine.execution_options(**{_WRITE: True})


def _prepare_file(path: Path) -> str:
    """Make the file for its owner alone: it names customers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    return f"sqlite:///{path}"


def _listen(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)


def _set_up_sqlite(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    del entry
    # The driver's own way of opening transactions lets a read become a write without the lock.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout = {BUSY_MILLISECONDS}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get(_WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _upgrade(connection: Connection, place: str) -> None:
    """Run the missing migrations inside the caller's transaction: all of them, or none."""
    revision = None
    if inspect(connection).has_table("alembic_version"):
        revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
    if revision == REVISION:
        return
    if revision is not None and revision > REVISION:
        raise RefusedError(
            f"{place} has format {revision}, this highseas knows formats up to {REVISION}",
            "upgrade highseas on this machine; the journal was not touched",
        )
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
