"""Tags: the catalogue, links, and the fields that hold names."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.rest.schema.write_description import TagList
from adapters.rest.writing.tags import merged, shown_names
from connector.errors import ConfigurationError, ProtocolError, RemoteError
from connector.models import OutcomeStatus
from tests.adapters.rest.flavours import (
    COMMANDS,
    LINKS,
    NAMED_LINKS,
    UPDATE,
    Flavour,
)
from tests.adapters.rest.little_server import Behaviour
from tests.adapters.rest.writing import Desk, statuses, tag, told

DONE, ABSENT, UNKNOWN = OutcomeStatus.DONE, OutcomeStatus.ABSENT, OutcomeStatus.UNKNOWN
WITH_COMMANDS = Flavour(Behaviour(tags="commands"), parts=(UPDATE, COMMANDS))
WITH_LINKS = Flavour(Behaviour(tags="links"), parts=(LINKS,))
BY_NAME = Flavour(Behaviour(tags="links"), parts=(NAMED_LINKS,))
BY_SEARCH = Flavour(
    Behaviour(tags="commands"),
    parts=(UPDATE, COMMANDS.replace("path: /tags}", 'path: /tags, params: {label: "{{ name }}"}}')),
)
KEY = "idempotency: {header: Idempotency-Key}\n"

Open = Callable[[Flavour], Desk]


def looks(at: Desk) -> int:
    return sum(each.method == "GET" and each.path == "/api/tags" for each in at.crm.seen)


names = st.text(st.characters(categories=("L",)), min_size=1, max_size=6)


@given(st.lists(names, unique=True), st.dictionaries(names, st.booleans()))
def test_foreign_names_stay_in_their_order(there: list[str], wanted: dict[str, bool]) -> None:
    for form, value in ((NAMES, there), (TEXT, ";".join(there))):
        shown = shown_names(form, merged(form, value, wanted, {}), None)
        foreign = [name for name in there if name not in wanted]
        assert [name for name in shown if name not in wanted] == foreign
        assert {name for name in wanted if name in shown} == {n for n, w in wanted.items() if w}
        assert len(shown) == len(set(shown))


class TestCatalogue:
    def test_it_is_read_once(self, desk: Open) -> None:
        at = desk(WITH_COMMANDS)
        at.crm.tag_number("gold")
        refs = [at.add() for _ in range(3)]
        assert statuses(at.send(*(at.lowered(ref, tag("gold")) for ref in refs))) == [DONE] * 3
        assert looks(at) == 1

    def test_it_is_read_again_when_a_name_is_missing(self, desk: Open) -> None:
        at = desk(WITH_COMMANDS)
        ref = at.add()
        at.do(ref, tag("old"))
        at.crm.tag_number("theirs")
        at.do(ref, tag("theirs"))
        assert list(at.crm.store.tags.values()) == ["old", "theirs"]
        assert len(at.sent("/tags")) == 1

    def test_missing_tag_is_made_once_for_all(self, desk: Open) -> None:
        at = desk(WITH_COMMANDS)
        refs = [at.add() for _ in range(3)]
        at.send(*(at.lowered(ref, tag("gold")) for ref in refs))
        assert len(at.sent("/tags")) == 1
        assert [at.tags(ref) for ref in refs] == [["gold"]] * 3

    @pytest.mark.parametrize("flavour", [WITH_COMMANDS, WITH_LINKS, BY_SEARCH])
    def test_lost_answer_to_a_new_tag_makes_no_second_one(
        self, desk: Open, flavour: Flavour
    ) -> None:
        at = desk(flavour)
        ref = at.add()
        at.crm.tag_fault = "lose"
        assert statuses(at.do(ref, tag("gold"))) == [DONE]
        assert list(at.crm.store.tags.values()) == ["gold"]

    def test_new_tag_that_did_not_arrive_leaves_all_unknown_and_is_made_later(
        self, desk: Open
    ) -> None:
        at = desk(WITH_COMMANDS)
        ref = at.add()
        at.crm.tag_fault = "drop"
        (batch,) = at.batches(at.lowered(ref, tag("gold")))
        assert statuses(at.adapter.send(batch)) == [UNKNOWN]
        assert at.sent("/customers") == []
        assert statuses(at.adapter.settle(batch)) == [ABSENT]
        assert statuses(at.adapter.send(batch)) == [DONE]
        assert list(at.crm.store.tags.values()) == ["gold"]

    def test_tag_that_another_made_first_is_used(self, desk: Open) -> None:
        at = desk(WITH_COMMANDS)
        ref = at.add()

        def another() -> None:
            at.crm.on_write = lambda: None
            at.crm.tag_number("gold")
            at.crm.say("POST /api/tags", 400, {"error": {"code": "DUPLICATE"}})

        at.crm.on_write = another
        assert statuses(at.do(ref, tag("gold"))) == [DONE]
        assert at.tags(ref) == ["gold"]

    def test_refused_tag_refuses_the_change(self, desk: Open) -> None:
        at = desk(WITH_COMMANDS)
        ref = at.add()
        at.crm.say("POST /api/tags", 403, {"error": {"code": "NO_RIGHT"}})
        assert told(at.do(ref, tag("gold"))) == [("refused", "NO_RIGHT")]

    def test_new_tag_that_nothing_shows_is_unknown(self, desk: Open) -> None:
        at = desk(WITH_COMMANDS)
        ref = at.add()
        at.crm.say("POST /api/tags", 201, {})
        assert told(at.do(ref, tag("gold"))) == [("unknown", "TAG_NOT_SHOWN")]

    def test_id_that_is_not_told_is_looked_up(self, desk: Open) -> None:
        at = desk(Flavour(Behaviour(tags="commands", silent=True), parts=(UPDATE, COMMANDS)))
        ref = at.add()
        assert statuses(at.do(ref, tag("gold"), tag("cold"))) == [DONE, DONE]
        assert at.tags(ref) == ["gold", "cold"]

    def test_search_by_name_finds_one_among_many(self, desk: Open) -> None:
        at = desk(BY_SEARCH)
        at.crm.tag_number("gold")
        ref = at.add()
        at.do(ref, tag("gold"))
        assert at.sent("/tags") == []
        assert [each.query for each in at.crm.seen if each.path == "/api/tags"] == [
            {"label": "gold"}
        ]

    def test_search_by_name_leaves_unknown_ids_alone(self, desk: Open) -> None:
        at = desk(BY_SEARCH)
        ref = at.add()
        at.crm.add_tag(int(ref.id), "gold")
        assert at.state(ref).tags == {str(at.crm.tag_number("gold"))}

    def test_name_that_nobody_can_make_is_looked_for_once(self, desk: Open) -> None:
        at = desk(Flavour(Behaviour(tags="commands"), parts=(UPDATE, COMMANDS.split("    cre")[0])))
        refs = [at.add() for _ in range(4)]
        outcomes = at.send(*(at.lowered(ref, tag("gold")) for ref in refs))
        assert told(outcomes) == [("refused", "TAG_UNKNOWN")] * 4
        assert looks(at) == 1

    def test_same_intent_makes_a_tag_under_the_same_key(self, desk: Open) -> None:
        at = desk(Flavour(Behaviour(tags="commands"), parts=(UPDATE, COMMANDS, KEY)))
        ref = at.add()
        (batch,) = at.batches(at.lowered(ref, tag("gold")))
        at.crm.tag_fault = "drop"
        at.adapter.send(batch)
        at.adapter.send(batch)
        first, second = at.sent("/tags")
        assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]

    def test_list_that_is_not_where_it_should_be_makes_no_tag(self, desk: Open) -> None:
        at = desk(WITH_COMMANDS)
        ref = at.add()
        at.crm.say("GET /api/tags", 200, {"rows": []})
        with pytest.raises(ProtocolError, match="holds no list"):
            at.do(ref, tag("gold"))
        assert at.sent() == []

    def test_row_without_a_name_is_told(self, desk: Open) -> None:
        at = desk(WITH_COMMANDS)
        ref = at.add()
        at.crm.say("GET /api/tags", 200, [{"id": 1}])
        with pytest.raises(ProtocolError, match="no id or no name"):
            at.do(ref, tag("gold"))

    def test_names_of_a_record_come_from_the_catalogue(self, desk: Open) -> None:
        at = desk(WITH_COMMANDS)
        ref = at.add()
        at.crm.add_tag(int(ref.id), "gold")
        assert at.state(ref).tags == {"gold"}
        at.crm.add_tag(int(ref.id), "new")
        assert at.state(ref).tags == {"gold", "new"}

    def test_id_that_the_catalogue_does_not_show_stays_an_id(self, desk: Open) -> None:
        at = desk(WITH_COMMANDS)
        ref = at.add()
        at.crm.add_tag(int(ref.id), "hidden")
        number = at.crm.tag_number("hidden")
        for _ in range(2):
            at.crm.say("GET /api/tags", 200, [])
            assert at.state(ref).tags == {str(number)}
        assert looks(at) == 1


class TestLinks:
    def test_link_and_unlink_by_id(self, desk: Open) -> None:
        at = desk(WITH_LINKS)
        ref = at.add()
        assert statuses(at.do(ref, tag("gold"))) == [DONE]
        number = at.crm.tag_number("gold")
        assert at.sent()[-1].path == f"/api/customers/{ref.id}/tags/{number}"
        assert statuses(at.do(ref, tag("gold", present=False))) == [DONE]
        assert at.tags(ref) == []

    def test_name_in_a_path_is_one_part_of_it(self, desk: Open) -> None:
        at = desk(BY_NAME)
        ref = at.add()
        assert statuses(at.do(ref, tag("a/b ü"))) == [DONE]
        assert at.state(ref).tags == {"a/b ü"}

    def test_link_that_is_there_already_is_done(self, desk: Open) -> None:
        at = desk(Flavour(Behaviour(tags="links", blunt_links=True), parts=(LINKS,)))
        ref = at.add()
        at.crm.add_tag(int(ref.id), "gold")
        assert statuses(at.do(ref, tag("gold"))) == [DONE]

    def test_link_that_is_gone_already_is_done(self, desk: Open) -> None:
        at = desk(WITH_LINKS)
        ref = at.add()
        at.crm.tag_number("gold")
        assert statuses(at.do(ref, tag("gold", present=False))) == [DONE]

    def test_tag_that_nobody_knows_is_linked_to_nothing(self, desk: Open) -> None:
        at = desk(WITH_LINKS)
        ref = at.add()
        assert statuses(at.do(ref, tag("never", present=False))) == [DONE]
        assert at.sent() == []

    def test_link_to_a_record_that_is_gone_is_refused(self, desk: Open) -> None:
        at = desk(BY_NAME)
        ref = at.add()
        at.crm.delete(int(ref.id))
        assert told(at.do(ref, tag("gold"))) == [("refused", "RECORD_GONE")]

    def test_conflict_that_explains_nothing_stays_one(self, desk: Open) -> None:
        at = desk(WITH_LINKS)
        ref = at.add()
        at.crm.say("PUT", 409, {})
        assert told(at.do(ref, tag("gold"))) == [("conflict", "409")]

    def test_look_that_fails_after_a_refusal_is_no_error(self, desk: Open) -> None:
        at = desk(WITH_LINKS)
        ref = at.add()
        at.crm.tag_number("gold")
        at.crm.say("PUT", 409, {})
        at.crm.say("GET /api/customers", 400, {})
        assert told(at.do(ref, tag("gold"))) == [("conflict", "409")]

    def test_record_without_links_may_be_not_found(self, desk: Open) -> None:
        at = desk(BY_NAME)
        ref = at.add()
        at.crm.say("GET /api/customers/.*/tags", 404, {})
        assert at.state(ref).tags == frozenset()

    def test_plan_of_another_description_is_told(self, desk: Open) -> None:
        at, linked = desk(WITH_COMMANDS), desk(WITH_LINKS)
        (batch,) = linked.batches(linked.lowered(linked.add(), tag("gold")))
        with pytest.raises(ConfigurationError, match="links no tags"):
            at.adapter.send(batch)

    def test_list_of_links_that_fails_is_an_error(self, desk: Open) -> None:
        at = desk(BY_NAME)
        ref = at.add()
        at.crm.say("GET /api/customers/.*/tags", 400, {})
        with pytest.raises(RemoteError):
            at.state(ref)


NAMES = TagList(model="list", field="tags")
OBJECTS = TagList(
    model="list", field="tags", of="tag.name", element={"tag": {"name": "{{ name }}"}}
)
BARE = TagList(model="list", field="tags", of="tag.name")
TAGGED = {"tag": {"name": "a"}, "n": 1}
TEXT = TagList(model="list", field="tags", separator=";")


class TestFields:
    @pytest.mark.parametrize(
        ("form", "value", "names"),
        [
            (NAMES, ["a", 7], ("a", "7")),
            (NAMES, None, ()),
            (NAMES, False, ()),
            (NAMES, "", ()),
            (NAMES, "alone", ("alone",)),
            (TEXT, " a; b ;;", ("a", "b")),
            (TEXT, "", ()),
            (OBJECTS, [{"tag": {"name": "a"}}], ("a",)),
        ],
    )
    def test_names_that_a_field_shows(
        self, form: TagList, value: object, names: tuple[str, ...]
    ) -> None:
        assert shown_names(form, value, None) == names

    @pytest.mark.parametrize("value", [[{"name": "a"}], [None], [["a"]]])
    def test_element_without_a_name_is_an_error(self, value: object) -> None:
        with pytest.raises(ProtocolError, match="no name"):
            shown_names(NAMES, value, None)

    @pytest.mark.parametrize(
        ("form", "value", "wanted", "written"),
        [
            (NAMES, ["b", "a"], {"c": True}, ["b", "a", "c"]),
            (NAMES, ["b", "a"], {"b": False, "a": True}, ["a"]),
            (NAMES, None, {"a": True}, ["a"]),
            (NAMES, "alone", {"a": True}, ["alone", "a"]),
            (TEXT, "b; a", {"c": True, "b": False}, " a;c"),
            (TEXT, None, {"a": True, "b": True}, "a;b"),
            (TEXT, "a", {"a": False}, ""),
            (OBJECTS, [TAGGED], {"b": True}, [TAGGED, {"tag": {"name": "b"}}]),
            (BARE, [TAGGED], {"b": True, "a": False}, [{"tag": {"name": "b"}}]),
        ],
    )
    def test_field_with_ours_put_in_or_taken_out(
        self, form: TagList, value: object, wanted: dict[str, bool], written: object
    ) -> None:
        assert merged(form, value, wanted, {}) == written
