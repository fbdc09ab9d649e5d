"""The part of a description that says how one kind of record is listed, followed and read."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from adapters.rest.paths import MISSING, Path, look
from adapters.rest.schema.call_description import CallForm, Form, Part, Place
from adapters.rest.templates import Template

FieldType = Literal[
    "text",
    "integer",
    "number",
    "money",
    "boolean",
    "date",
    "datetime",
    "choice",
    "tags",
    "reference",
    "other",
]


class FieldForm(Part):
    """One field by its path in a row: its type, and whether it may be written. `write`: a template
    over `value` of what is sent, where that is not the value itself."""

    type: FieldType = "text"
    label: str = ""
    writable: bool = False
    options: tuple[str, ...] = ()
    write: Template | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_type(cls, value: Any) -> Any:
        return {"type": value} if isinstance(value, str) else value


class PageNumber(Part):
    """`page` in the templates, from `first` on. Where a record is deleted meanwhile, another one
    slips over to a page that was read before; only `total` lets that be seen."""

    kind: Literal["page"]
    first: int = 1


class Offset(Part):
    """`offset` in the templates: how many rows to pass over. Each page but the first begins with
    the last row of the one before it, so that rows that move are noticed."""

    kind: Literal["offset"]


class Range(Part):
    """The header `Range: UNIT=FROM-TO`; `start` and `stop` in the templates. `inclusive`: the row
    TO is part of the answer. Pages overlap as with `offset`."""

    kind: Literal["range"]
    unit: str = "items"
    inclusive: bool = True


class Cursor(Part):
    """`cursor` in the templates, None on the first page; each answer names the next one."""

    kind: Literal["cursor"]
    at: Place


class Link(Part):
    """Each answer holds the address of the next page, in its body, a header of its own, or as
    `rel="next"` in the `Link` header (`at` left out). It must lead to the same server."""

    kind: Literal["link"]
    at: Place | None = None


class Keyset(Part):
    """`last` in the templates: the key of the last row seen, None on the first page. `by` is a
    unique key that the rows are sorted by, upwards. The surest way where rows come and go."""

    kind: Literal["keyset"]
    by: Path = "id"


class OnePage(Part):
    """Everything in one answer."""

    kind: Literal["none"] = "none"


Paging = Annotated[
    PageNumber | Offset | Range | Cursor | Link | Keyset | OnePage, Field(discriminator="kind")
]


class Listing(CallForm):
    """A call that lists records, page by page; `limit` in its templates is `page_size`.

    `rows`: where the list stands. `total`: how many there are in all, by the server's count.
    `empty`: HTTP statuses by which it says that there are none. `more`: where it says whether
    another page follows. `short_page_ends`: a page of fewer rows than asked for is the last one.
    """

    rows: Path = ""
    page_size: int = Field(default=100, ge=1, le=10_000)
    paging: Paging = Field(default_factory=OnePage)
    total: Place | None = None
    more: Place | None = None
    empty: tuple[int, ...] = (204,)
    short_page_ends: bool = False


class Modified(Part):
    """The moment of a record's last change; `created` stands in while it is null. `by`: who.
    `write`: a template over `value` of how a moment is written in a filter; with it `since` is
    that text everywhere, and not the moment itself."""

    path: Path
    form: Form = Field(default=Form.ISO, alias="as")
    write: Template | None = None
    created: Path | None = None
    by: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_path(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value


class Tombstone(Part):
    """A row that says "deleted": what stands at `path` is one of `is`; or, `filled: true`, anything
    stands there at all, such as the moment of deletion, but for null, false and what is empty."""

    path: Path
    values: tuple[str | int | bool, ...] = Field(default=(True,), alias="is")
    filled: bool = False

    @model_validator(mode="after")
    def _one_sign(self) -> Self:
        if self.filled and "values" in self.model_fields_set:
            raise ValueError("a tombstone is told by `is` or by `filled`, and not by both")
        return self

    def stands_in(self, row: Any) -> bool:
        """Whether the row says "deleted"."""
        value = look(row, self.path)
        if self.filled:
            return value is not MISSING and value not in (None, False, "", [], {})
        return value in self.values


class Changes(Part):
    """How to ask for what changed at or after `since`: laid over the listing, key by key. A filter
    must include the moment itself (>=). `overlap_seconds` before it are asked for again.

    `tombstone`: deleted records come among the others. `reconcile_days`: for servers on which some
    changes do not move the moment of modification (tags, notes): everything is pulled that often.
    """

    params: dict[str, Any] = Field(default_factory=dict)
    headers: dict[str, Template] = Field(default_factory=dict)
    path: Template | None = None
    json_body: Any = Field(default=None, alias="json")
    overlap_seconds: int = Field(default=60, ge=0)
    tombstone: Tombstone | None = None
    reconcile_days: int | None = Field(default=None, ge=1)


class Deleted(Listing):
    """A list of deleted records; `since` in its templates."""

    id: Path = "id"


class Read(Part):
    """Live records just before a write: `many` with `ids`, at most `batch` a call, or `one` with
    `id`. `rows` and `row` say where they stand. `missing`: HTTP statuses for a record that is gone,
    beside the general ones. `tombstone`: a deleted record can still be read, and says so."""

    many: CallForm | None = None
    rows: Path = ""
    batch: int = Field(default=100, ge=1, le=1000)
    one: CallForm | None = None
    row: Path = ""
    missing: tuple[int, ...] = (404, 410)
    tombstone: Tombstone | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.many is None) == (self.one is None):
            raise ValueError("a read is by `many` or by `one`, and not both")
        return self


class Lookup(Part):
    """An id that names a record of another `object` of the description. When a row is pulled, that
    record stands in the id's place: a mapping reaches `currency.code`. A list of ids becomes a list
    of records; an id that nobody has stays one. What changes in the other record alone shows when
    the row is pulled the next time."""

    object: str

    @model_validator(mode="before")
    @classmethod
    def _from_object(cls, value: Any) -> Any:
        return {"object": value} if isinstance(value, str) else value


class ObjectForm(Part):
    """One kind of record. `id` is unique and sorted by where pages are numbered. `version`: what
    moves with each change, by default the moment of modification; `version_header`: it stands in
    that header of a read of one record. `sweep`: how a deletion is found out where neither
    tombstones nor a list of deleted records tell. `own`: values of your own for this object, which
    its templates find as `own.NAME`; with `every` they tell one object from another.
    """

    label: str = ""
    own: dict[str, Any] = Field(default_factory=dict)
    id: Path = "id"
    fields: dict[str, FieldForm] = Field(default_factory=dict)
    lookups: dict[Path, Lookup] = Field(default_factory=dict)
    list: Listing
    modified: Modified | None = None
    version: Path | None = None
    version_header: str | None = None
    changes: Changes | None = None
    deleted: Deleted | None = None
    sweep: Sweep | None = None
    read: Read | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.changes is not None and self.modified is None:
            raise ValueError("'changes' needs 'modified': how would a change be told?")
        return self


class Sweep(Part):
    """A cheap listing of all ids, laid over the listing key by key (only the field `id`, larger
    pages): with each incremental pull, whoever is missing from it was deleted."""

    params: dict[str, Any] = Field(default_factory=dict)
    json_body: Any = Field(default=None, alias="json")
    page_size: int | None = Field(default=None, ge=1, le=10_000)


__all__ = [
    "Changes",
    "Cursor",
    "Deleted",
    "FieldForm",
    "Keyset",
    "Link",
    "Listing",
    "Lookup",
    "Modified",
    "ObjectForm",
    "Offset",
    "OnePage",
    "PageNumber",
    "Paging",
    "Range",
    "Read",
    "Sweep",
    "Tombstone",
]
