"""Sending tags that are linked to records by calls of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from adapters.rest.paths import MISSING, look
from adapters.rest.schema.write_description import TagLinks, WriteCall
from adapters.rest.writing.batches import Operation
from adapters.rest.writing.read import Reader
from adapters.rest.writing.sending import Told, ask, one_by_one
from adapters.rest.writing.tags import shown_names
from adapters.rest.writing.updates import repeat_key
from adapters.settling import settle_by_reading
from connector.errors import ConfigurationError, HighseasError, ProtocolError, RemoteError
from connector.models import Outcome, OutcomeStatus, Primitive, PrimitiveKind
from connector.ports import Batch

_DONE = Told(OutcomeStatus.DONE)


class LinkWriter:
    """Links tags through one API; `reader` shares its catalogues."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def send(self, primitives: Sequence[Primitive]) -> dict[str, Outcome]:
        """An error that leaves here means that nothing of the batch arrived."""
        return one_by_one(primitives, lambda each: (each,), self._link)

    def _link(self, primitive: Primitive) -> dict[str, Outcome]:
        form = self._form(primitive)
        tag_id, told = self._tag_id(primitive)
        if tag_id is MISSING:
            return told.outcomes([primitive])
        is_wanted = primitive.kind is PrimitiveKind.ADD_TAG
        links: list[object] = [None]
        if form.link_id is not None:
            there = self._links(primitive, form, form.link_id)
            if is_wanted == bool(there):
                return _DONE.outcomes([primitive])
            links = there or links
        call = form.add if is_wanted else form.remove
        told = self._ask_all(
            primitive, call, [{"tag_id": tag_id, "link_id": each} for each in links]
        )
        if told.is_gone or told.status is OutcomeStatus.CONFLICT:
            return self._looked_up(primitive, told)
        return told.outcomes([primitive])

    def _ask_all(
        self, primitive: Primitive, form: WriteCall, links: Iterable[Mapping[str, object]]
    ) -> Told:
        """One call a link; the first that is not done, if there is one. Once one of them has left,
        an error of a later one parks the whole."""
        api = self._reader.api(primitive.ref.object)
        told: list[Told] = []
        for link in links:
            names = api.names(id=primitive.ref.id, tag=primitive.target, **link)
            try:
                told.append(ask(api, api.call(form, names, writes=True), gone=form.gone))
            except HighseasError:
                if not told:
                    raise
                told.append(Told(OutcomeStatus.PARKED, "NOT_SENT"))
        return next((each for each in told if each.status is not OutcomeStatus.DONE), told[0])

    def _links(self, primitive: Primitive, form: TagLinks, path: str) -> list[object]:
        """The ids of the links between the record and the tag; there may be several."""
        assert form.list is not None  # noqa: S101 - the schema has seen to it
        rows = self._reader.links(primitive.ref, form.list, path)
        names = shown_names(form, rows, self._reader.catalogues.get(primitive.ref.object))
        pairs = zip(rows, names, strict=True)
        found = [look(row, path) for row, name in pairs if name == primitive.target]
        if MISSING in found or None in found:
            raise ProtocolError(
                f"a link to a tag has no id at '{path}'",
                "correct `link_id` in the description's tags",
            )
        return found

    def _tag_id(self, primitive: Primitive) -> tuple[object, Told]:
        """MISSING with what is to be told. A tag that is in no catalogue is at no record either."""
        catalogue = self._reader.catalogues.get(primitive.ref.object)
        if catalogue is None:
            return None, _DONE
        if primitive.kind is PrimitiveKind.REMOVE_TAG:
            return catalogue.find(primitive.target), _DONE
        writes = self._reader.description.writes[primitive.ref.object]
        return catalogue.find_or_make(primitive.target, repeat_key(writes, primitive))

    def _looked_up(self, primitive: Primitive, told: Told) -> dict[str, Outcome]:
        """ "Not there" may be the record or the link, "there already" is as good as done."""
        batch = Batch(Operation.LINK_TAG.value, (primitive,))
        try:
            (settled,) = settle_by_reading(self._reader.read, batch)
        except RemoteError:  # it is not that nothing was sent
            return told.outcomes([primitive])
        shown = settled.status in {OutcomeStatus.DONE, OutcomeStatus.REFUSED}
        return {primitive.key: settled} if shown else told.outcomes([primitive])

    def _form(self, primitive: Primitive) -> TagLinks:
        form = self._reader.description.writes[primitive.ref.object].tags
        if not isinstance(form, TagLinks):
            raise ConfigurationError(
                f"{self._reader.description.name} links no tags to records",
                "the plan was made with another description: make a new one",
            )
        return form
