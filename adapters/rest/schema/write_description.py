"""The part of a description that says how records of one object are written."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from adapters.rest.paths import Path
from adapters.rest.schema.call_description import CallForm, Part, Place
from adapters.rest.schema.object_description import Listing
from adapters.rest.templates import Template
from connector.ports import NoteLookup

# What a call that looks for several notes asks for.
MANY_NOTES = frozenset({"ids", "refs", "markers"})


class WriteCall(CallForm):
    """A call that writes. `gone`: HTTP statuses by which this call says that what it writes to is
    not there; a code that `errors` names goes before them."""

    gone: tuple[int, ...] = ()


class Update(WriteCall):
    """Sets fields of one record: `id`, `ref`, `fields` (names and values; what stands before a dot
    in a field's name is an object), `version` in its templates. Fields that are not named must stay
    as they are; where the server takes whole records only, send `record`: the record as it was just
    read, with the fields laid over it. `done`: HTTP statuses that mean it; by default every 2xx."""

    done: tuple[int, ...] = ()


class Result(Part):
    """How one row of a batch's answer reads: `status` like an HTTP status or `ok` values, `code`
    of what went wrong, `body` as a single call would have answered. `id`: which record a row speaks
    of, where the rows may come in another order than they were sent in."""

    id: Path | None = None
    status: Path | None = None
    ok: tuple[str | int | bool, ...] = ()
    code: Path | None = None
    body: Path | None = None


class BatchUpdate(CallForm):
    """Several updates in one call: `item` is the template of one (as `Update`'s, over `id`, `ref`,
    `fields`, `record`, `version`), `items` in the call's own templates is the list of them.
    `results`: where the answer lists what became of each, in their order."""

    size: int = Field(ge=2, le=1000)
    item: Any
    results: Path = ""
    result: Result = Field(default_factory=Result)


class TagList(Part):
    """An array field (or, with `separator`, a text field) that holds the names; it is rewritten as
    a whole by the update, after a fresh look. `of`: the name's path in an element that is an
    object, and `element` the template of a new one, over `name`; the others go back as they are."""

    model: Literal["list"]
    field: Path
    separator: str | None = None
    of: Path | None = None
    element: Any = None


class TagCommands(Part):
    """Many-to-many by id, changed by the update of the record, which sends a list of commands for
    `field`: `add` and `remove` are templates of one of them, over `tag_id`. `names`: the catalogue.
    What stands in `field` are ids, or objects with the name at `of`."""

    model: Literal["commands"]
    field: Path
    of: Path | None = None
    add: Any
    remove: Any
    names: Catalogue


class TagLinks(Part):
    """Calls of their own, over `id`, `tag` (the name) and `tag_id`; the current ones stand in the
    record's `field`, or are listed by `list` for one record: the name at `of`, or the tag's id at
    `tag_id`. `link_id`: the id of the link itself in a row of that list, where links are records of
    their own; `remove` asks for it as `link_id`, and a link that is there is not made again."""

    model: Literal["links"]
    field: Path | None = None
    of: Path | None = None
    list: Listing | None = None
    tag_id: Path | None = None
    link_id: Path | None = None
    add: WriteCall
    remove: WriteCall
    names: Catalogue | None = None

    @model_validator(mode="after")
    def _shown_somewhere(self) -> Self:
        if (self.field is None) == (self.list is None):
            raise ValueError("the tags of a record stand in a field, or are listed by a call")
        if self.link_id is not None and self.list is None:
            raise ValueError("'link_id' stands in the rows of 'list', which is missing")
        if self.tag_id is not None and self.names is None:
            raise ValueError("'tag_id' is looked up in 'names', which is missing")
        return self


class Catalogue(Part):
    """The tags that there are: `list` shows all of them, or if it asks for `name` those of that
    name (`name`, `id` paths in a row). `create` makes one over `name`, whose id then stands at
    `created`. Without `create` a missing tag is refused."""

    list: Listing
    id: Path = "id"
    name: Path = "name"
    create: CallForm | None = None
    created: Place | None = None


class NoTags(Part):
    """This API has no tags."""

    model: Literal["none"] = "none"


class NoteRecords(Part):
    """Records of their own. `create` over `id`, `ref`, `text`, `title`, `content`, `marker`; its id
    stands at `created`. `find` lists those of a record (`id`, `ref`) that may hold `marker`; the
    id stands at `note_id` in a row, and `text` is a template over `note`, the row. `update` and
    `remove` over `note_id`.

    A `find` that asks for `ids`, `refs` or `markers` in their place looks for up to `find_batch`
    notes in one call: lists with one element for each of them, a record as often as it is asked
    about. `customer`, a template over `note`, then tells whose note a row is, beside its marker.

    `lookup`: how surely `find` sees a note at once; without `find` it is `none`. `orphans`:
    the server takes notes for records that are gone, so that these are looked for first. Without
    `update` a note is deleted and put anew.
    """

    model: Literal["records"]
    create: WriteCall
    created: Place | None = None
    orphans: bool = False
    find: Listing | None = None
    find_batch: int = Field(default=50, ge=1, le=1000)
    note_id: Path = "id"
    text: Template = ""
    customer: Template = ""
    update: WriteCall | None = None
    remove: WriteCall | None = None
    lookup: NoteLookup = NoteLookup.CONSISTENT
    lag_seconds: float = Field(default=0.0, ge=0)
    length: int = Field(default=32_000, ge=100)
    batch: NoteBatch | None = None

    @model_validator(mode="after")
    def _can_be_found(self) -> Self:
        if self.lookup is not NoteLookup.NONE and (self.find is None or not self.text):
            raise ValueError("a note is looked up by `find` and `text`; or say `lookup: none`")
        if self.lookup is NoteLookup.LAGGING and not self.lag_seconds:
            raise ValueError("a lagging lookup needs `lag_seconds`: how long may it lag?")
        if self.finds_many and self.find and self.find.asks_for() & {"id", "ref", "marker"}:
            raise ValueError("`find` asks for one note (`id`, `marker`) or for several (`ids`)")
        return self

    @property
    def finds_many(self) -> bool:
        """Whether `find` looks for several notes in one call."""
        return self.find is not None and bool(self.find.asks_for() & MANY_NOTES)


class NoteBatch(CallForm):
    """Several notes created in one call, as `BatchUpdate`; `created` is looked up in each row."""

    size: int = Field(ge=2, le=1000)
    item: Any
    results: Path = ""
    result: Result = Field(default_factory=Result)


class NoteField(Part):
    """Appended to a text field of the record by the update, between two lines that carry the
    marker; whatever else stands there stays."""

    model: Literal["field"]
    field: Path
    length: int = Field(default=32_000, ge=100)


class NoNotes(Part):
    """No notes: reasons stay in the plan and the journal."""

    model: Literal["none"] = "none"


Tags = Annotated[TagList | TagCommands | TagLinks | NoTags, Field(discriminator="model")]
Notes = Annotated[NoteRecords | NoteField | NoNotes, Field(discriminator="model")]


class Locking(Part):
    """How the server refuses a write to a record that has changed since it was read: `headers` go
    with the update (over `version`), `json` is laid over its body; in a batch `item` asks for
    `version` itself. The refusal is a `conflict` of `errors`. `always`: also where nobody asked for
    it, at the cost of one more read before. `version`: where in the record it stands, if locking
    goes by something else than the object's own `version`; then each update is read before."""

    version: Path | None = None

    headers: dict[str, Template] = Field(default_factory=dict)
    json_body: Any = Field(default=None, alias="json")
    always: bool = True

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if not self.headers and self.json_body is None:
            raise ValueError("locking needs headers or json: where does the version go?")
        return self


class Idempotency(Part):
    """A header by which the server knows a repeated create; its value is made from the intent."""

    header: str


class Writes(Part):
    """What may be written to an object's records. `owner`: the field that holds the owner's id."""

    update: Update | None = None
    batch: BatchUpdate | None = None
    owner: Path | None = None
    tags: Tags = Field(default_factory=NoTags)
    notes: Notes = Field(default_factory=NoNotes)
    locking: Locking | None = None
    idempotency: Idempotency | None = None
    quiet: bool = False
    tag_length: int | None = None
    tags_per_record: int | None = None
    settle_seconds: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _has_an_update(self) -> Self:
        needs = (
            self.owner,
            self.batch,
            isinstance(self.tags, TagList | TagCommands) or None,
            isinstance(self.notes, NoteField) or None,
        )
        if self.update is None and any(need is not None for need in needs):
            raise ValueError("'update' is missing: owner, batch, tags and notes in fields need it")
        laid_over = self.locking is not None and self.locking.json_body is not None
        if laid_over and (self.update is None or self.update.json_body is None):
            raise ValueError("locking by json is laid over the json body of 'update'")
        return self


__all__ = [
    "BatchUpdate",
    "Catalogue",
    "Idempotency",
    "Locking",
    "NoNotes",
    "NoTags",
    "NoteBatch",
    "NoteField",
    "NoteRecords",
    "Result",
    "TagCommands",
    "TagLinks",
    "TagList",
    "Update",
    "WriteCall",
    "Writes",
]
