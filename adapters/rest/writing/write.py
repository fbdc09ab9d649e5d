"""Sending a batch, once: updates of records, one by one or several in a call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from adapters.calls import Call
from adapters.rest.api import Api
from adapters.rest.overlay import overlay
from adapters.rest.schema.call_description import CallForm
from adapters.rest.schema.write_description import Update as UpdateForm
from adapters.rest.schema.write_description import Writes
from adapters.rest.templates import render
from adapters.rest.writing.batches import Operation
from adapters.rest.writing.read import Reader
from adapters.rest.writing.sending import Told, ask, ask_many, one_by_one
from adapters.rest.writing.updates import Composer, Update, item_has_version, needs_look
from adapters.rest.writing.write_links import LinkWriter
from adapters.rest.writing.write_notes import NoteWriter
from adapters.settling import RECORD_GONE
from connector.errors import ConfigurationError, HighseasError
from connector.models import Outcome, OutcomeStatus, Primitive, Ref
from connector.ports import Batch

_GONE = Told(OutcomeStatus.REFUSED, RECORD_GONE)


class Writer:
    """Writes through one API. `reader` looks at records just before, and shares its catalogues."""

    def __init__(self, api: Api, reader: Reader) -> None:
        self._description = api.description
        self._reader = reader
        self._composer = Composer(reader)
        self._notes = NoteWriter(reader)
        self._links = LinkWriter(reader)

    def send(self, batch: Batch) -> list[Outcome]:
        """An error that leaves here means that nothing of the batch arrived."""
        operation = Operation(batch.operation)
        if operation is Operation.UPDATE:
            outcomes = self._update(batch.primitives, batch.versions)
        elif operation is Operation.LINK_TAG:
            outcomes = self._links.send(batch.primitives)
        else:
            outcomes = self._notes.send(operation, batch.primitives)
        return [outcomes[primitive.key] for primitive in batch.primitives]

    # Updates.

    def _update(
        self, primitives: Sequence[Primitive], versions: Mapping[str, str]
    ) -> dict[str, Outcome]:
        by_ref: dict[Ref, list[Primitive]] = {}
        for primitive in primitives:
            by_ref.setdefault(primitive.ref, []).append(primitive)
        looked = [
            ref
            for ref, members in by_ref.items()
            if needs_look(self._writes(ref), members, versions)
        ]
        live = self._reader.records(looked)
        outcomes: dict[str, Outcome] = {}
        updates: list[Update] = []
        for ref, members in by_ref.items():
            if ref in looked and ref not in live:
                outcomes |= _GONE.outcomes(members)
                continue
            update = self._composer.compose(ref, members, live.get(ref), versions.get(str(ref)))
            outcomes |= update.outcomes
            if update.parts:
                updates.append(update)
        outcomes |= self._ship(updates)
        for update in updates:
            outcomes |= self._apart(update, outcomes, versions)
        return outcomes

    def _apart(
        self, update: Update, outcomes: Mapping[str, Outcome], versions: Mapping[str, str]
    ) -> dict[str, Outcome]:
        """Where several intents were refused together, nothing of them was written: each is sent
        alone, so that one of them does not spoil it for the others."""
        by_intent: dict[str, list[Primitive]] = {}
        for primitive in update.primitives:
            by_intent.setdefault(primitive.intent_id, []).append(primitive)
        first = outcomes[update.primitives[0].key]
        is_spoilt = first.status is OutcomeStatus.REFUSED and first.code != RECORD_GONE
        if len(by_intent) == 1 or not is_spoilt:
            return {}
        told: dict[str, Outcome] = {}
        for members in by_intent.values():
            try:
                told |= self._update(members, versions)
            except HighseasError:  # it is not that nothing was sent
                continue
        return told

    def _ship(self, updates: Sequence[Update]) -> dict[str, Outcome]:
        """Together where the API takes several, and each by itself otherwise."""
        if not updates:
            return {}
        writes = self._writes(updates[0].ref)
        bare = item_has_version(writes)
        together = [each for each in updates if each.version is not None or not bare]
        alone = [[each] for each in updates if each.version is None and bare]
        if writes.batch is None:
            together, alone = [], [[each] for each in updates]
        groups = [together, *alone] if together else alone
        return one_by_one(groups, _primitives_of, self._group)

    def _group(self, updates: Sequence[Update]) -> dict[str, Outcome]:
        form = self._writes(updates[0].ref).batch
        if form is None or len(updates) == 1:
            return self._single(updates[0])
        api = self._reader.api(updates[0].ref.object)
        items = [render(form.item, self._names(each)) for each in updates]
        call = api.call(form, api.names(items=items), writes=True)
        told = ask_many(api, call, (form.results, form.result), [each.ref.id for each in updates])
        if all(each.whole for each in told):
            # One row may have spoilt it for all; nothing of a refused call was written.
            return one_by_one(updates, lambda each: each.primitives, self._single)
        outcomes: dict[str, Outcome] = {}
        for update, each in zip(updates, told, strict=True):
            outcomes |= update.told(each)
        return outcomes

    def _single(self, update: Update) -> dict[str, Outcome]:
        writes = self._writes(update.ref)
        form = writes.update
        if form is None:
            raise ConfigurationError(
                f"{self._description.name} does not say how records are updated",
                "add `update` to `writes` of the description",
            )
        call = self._update_call(writes, form, update)
        return update.told(self._asked(form, call, update.ref))

    def _asked(self, form: UpdateForm, call: Call, ref: Ref) -> Told:
        return ask(self._reader.api(ref.object), call, form.done, gone=form.gone)

    def _update_call(self, writes: Writes, form: UpdateForm, update: Update) -> Call:
        """With the version where the server wants to see it, if there is one."""
        api, names = self._reader.api(update.ref.object), self._names(update)
        lock = writes.locking if update.version is not None else None
        if lock is None:
            return api.call(form, names, writes=True)
        locked: CallForm = form.model_copy(update={"headers": {**form.headers, **lock.headers}})
        if lock.json_body is not None:
            # Filled once: what a value holds is never taken for a template.
            body = overlay(render(form.json_body, names), render(lock.json_body, names))
            names = {**names, "body": body}
            locked = locked.model_copy(update={"json_body": "{{ body }}"})
        return api.call(locked, names, writes=True)

    def _names(self, update: Update) -> dict[str, object]:
        return self._reader.api(update.ref.object).names(
            id=update.ref.id,
            ref=str(update.ref),
            fields=update.fields,
            record=overlay(update.record, update.fields),
            version=update.version,
        )

    def _writes(self, ref: Ref) -> Writes:
        return self._description.writes[ref.object]


def _primitives_of(updates: Iterable[Update]) -> list[Primitive]:
    return [primitive for update in updates for primitive in update.primitives]
