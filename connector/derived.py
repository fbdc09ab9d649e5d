"""Columns that follow from others while staging: contact checks, mass edits, bursts. Only those
that the policy needs, and only where something has changed."""

from __future__ import annotations

import duckdb

from connector import contacts
from connector.bursts import mark
from connector.facts import FactsBuild, leaving
from connector.incoming import MISSING
from connector.mapping import CompiledMapping
from connector.needs import BURST, EMAIL_VALID, MASS, PHONE_VALID, Needs
from connector.superseded import remember_flags
from connector.warehouse_tables import get_meta, set_meta

_CONTACTS = frozenset({PHONE_VALID, EMAIL_VALID})
_FLAGS = frozenset({MASS, BURST})


class Derived:
    """One load's derived columns. `missing`: those wanted that no load has filled yet."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, mapping: CompiledMapping, needs: Needs
    ) -> None:
        self._connection = connection
        self._mapping = mapping
        self._needs = needs
        known = frozenset(get_meta(connection, "derived").split("\n"))
        self._rules_changed = get_meta(connection, "contact_rules") != contacts.rules_key(needs)
        self.missing = needs.derived - (known - _CONTACTS if self._rules_changed else known)

    @property
    def known_flags(self) -> frozenset[str]:
        """The flags of activities that are wanted, and that the load before filled too."""
        return (self._needs.derived & _FLAGS) - self.missing

    def record(self) -> None:
        set_meta(self._connection, "derived", "\n".join(sorted(self._needs.derived)))
        set_meta(self._connection, "contact_rules", contacts.rules_key(self._needs))

    def fill(self, build: FactsBuild) -> str:
        """Fill what is wanted; the answer is a condition on `customers c`: those that changed."""
        self._mark(build)
        anew = build.customers_whole or bool(self.missing & _CONTACTS)
        scope = "true" if anew else build.customer_scope
        if self._needs.derived & _CONTACTS:
            if self._rules_changed:
                contacts.forget_checks(self._connection)
            contacts.check_contacts(self._connection, self._needs, self._not_shown, scope)
        return scope

    def _mark(self, build: FactsBuild) -> None:
        flags = self._needs.derived & _FLAGS
        scope = "true" if self.missing & _FLAGS else build.scopes.get("activities")
        if flags and scope:
            changed = None if scope == "true" else (scope, leaving("activities"))
            remember_flags(self._connection, build.made.get("activities", "false"))
            mark(self._connection, self._mapping.zone, bursts=BURST in flags, changed=changed)

    def _not_shown(self, column: str) -> frozenset[str]:
        """Customer objects of which nobody can say whether a field is empty."""
        paths = [
            (source.object, source.columns[column].path if column in source.columns else None)
            for source in self._mapping.file.customers
        ]
        rows = self._connection.execute(
            "SELECT object, field FROM problems WHERE record_id = '' AND message = ?", [MISSING]
        ).fetchall()
        return frozenset(
            name for name, path in paths if path is None or (name, path.partition(".")[0]) in rows
        )
