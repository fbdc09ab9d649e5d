"""Records of other objects in the place of their ids, so that a mapping reaches what they say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.rest.api import Api
from adapters.rest.paths import MISSING, look, replaced, steps
from adapters.rest.pulling.short_lists import listed
from adapters.rest.pulling.values import RowMaker
from adapters.rest.schema.object_description import Lookup


class LookedUp:
    """Rows behind `plain` with the records that they name. Another object is listed once, when the
    first row asks for it; an id that it does not have stays an id."""

    def __init__(self, api: Api, plain: RowMaker, lookups: Mapping[str, Lookup]) -> None:
        self._api = api
        self._plain = plain
        self._lookups = {path: (steps(path), form.object) for path, form in lookups.items()}
        self._records: dict[str, dict[str, Any]] = {}
        self.asked = plain.asked or bool(lookups)

    def row(self, value: Any) -> Any:
        row = self._plain.row(value)
        for path, (places, name) in self._lookups.items():
            found = look(row, path)
            if found is not MISSING and found is not None:
                row = replaced(row, places, self._found(found, name))
        return row

    def _found(self, value: Any, name: str) -> Any:
        if isinstance(value, list):
            return [self._found(item, name) for item in value]
        if isinstance(value, bool) or not isinstance(value, int | str):
            return value
        return self._of(name).get(str(value), value)

    def _of(self, name: str) -> dict[str, Any]:
        if name not in self._records:
            form = self._api.description.objects[name]
            names = {"own": form.own}
            rows = listed(self._api, form.list, names, what=name, id_path=form.id)
            self._records[name] = {str(look(row, form.id)): row for row in rows}
        return self._records[name]
