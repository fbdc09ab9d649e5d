"""The guard against pulls that lost something: empty, shrunken or without keys."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import duckdb

from connector.errors import RefusedError
from connector.facts import Slice
from connector.mapping import FACTS, CompiledMapping
from connector.spool import Walk

LARGEST_LOSS = 0.2
_HINT = (
    "check what these credentials may see and the mapping's conditions; "
    "if it is right, run `highseas pull --full --accept-shrink`"
)


class ShrunkenPullError(RefusedError):
    """What came is less than can be believed; nothing of it was staged."""


class Guard:
    """Counts the rows with a key before and after a load, in the load's own transaction."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        mapping: CompiledMapping,
        slices: Mapping[str, Slice],
        swept: Collection[str] = (),
    ) -> None:
        """`swept`: objects of which a sweep over all ids did not find some records."""
        self.slices = slices
        self._connection = connection
        self._mapping = mapping
        self._tables = [
            table
            for table in ("customers", *FACTS)
            if any(table in mapping.tables_of(name) for name in slices)
        ]
        full = {name for name, kind in slices.items() if kind is Slice.ALL}
        self._full = full.union(swept)
        self._before = self._count()

    @staticmethod
    def refuse_blank_keys(mapping: CompiledMapping, walks: Iterable[Walk]) -> None:
        """Raises RefusedError when customers came without an id."""
        for walk in walks:
            manifest = walk.manifest
            if manifest.blank and manifest.object in mapping.customer_objects:
                raise ShrunkenPullError(
                    f"{manifest.blank:,} of {manifest.rows:,} records of {manifest.object} "
                    "came without an id; nothing was staged",
                    "check the mapping's id, and what these credentials may see",
                )

    def refuse_loss(self) -> None:
        """Raises RefusedError when a full pull or a sweep found over 20 % fewer, or no customer."""
        after = self._count()
        for (table, name), before in self._before.items():
            if not self._full & {name, *self._mapping.between(table, name)}:
                continue  # what the CRM itself said was deleted is no loss
            now = after.get((table, name), 0)
            if now < before * (1 - LARGEST_LOSS):
                share = round(100 * (before - now) / before)
                raise ShrunkenPullError(
                    f"the pull leaves {now:,} {table} from {name} where {before:,} were staged "
                    f"({share} % fewer); nothing was staged",
                    _HINT,
                )
        self._refuse_emptiness(after)

    def _refuse_emptiness(self, after: Mapping[tuple[str, str], int]) -> None:
        names = set(self._mapping.customer_objects)
        if names <= self._full and not any(after.get(("customers", name)) for name in names):
            listed = ", ".join(sorted(names))
            raise ShrunkenPullError(f"the CRM shows no customers at all in {listed}", _HINT)

    def _count(self) -> dict[tuple[str, str], int]:
        counts: dict[tuple[str, str], int] = {}
        for table in self._tables:
            name, key = ("object", "key") if table == "customers" else ("source", "customer")
            rows = self._connection.execute(
                f"SELECT {name}, count({key}) FROM {table} GROUP BY {name}"
            ).fetchall()
            counts |= {(table, source): count for source, count in rows}
        return counts
