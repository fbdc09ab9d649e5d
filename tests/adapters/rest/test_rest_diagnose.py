"""What trying a description against its CRM says: when all is well, and of what is not."""

from __future__ import annotations

import time
from typing import Any

import pytest

from adapters.http import Timing
from adapters.rest.adapter import RestAdapter
from adapters.rest.loading import Source, read_description
from connector.ports import Diagnosing, Finding
from tests.adapters.conftest import Said, Seen, Wire
from tests.adapters.rest.told_crm import DESCRIPTION, Row, ToldCrm, records


@pytest.fixture
def crm(wire: Wire) -> ToldCrm:
    crm = ToldCrm()
    wire.route = crm
    return crm


def findings(wire: Wire, *changes: tuple[str, str]) -> list[Finding]:
    text = DESCRIPTION
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    description = read_description(Source(text, "crm.yaml"))
    timing = Timing(time.time, lambda seconds: None, lambda: 1.0)
    adapter = RestAdapter(description, {"url": wire.url, "key": "hush-hush"}, timing=timing)
    assert isinstance(adapter, Diagnosing)
    try:
        return list(adapter.diagnose())
    finally:
        adapter.close()


def told(found: list[Finding], part: str) -> list[tuple[str, str]]:
    return [(each.state, each.text) for each in found if each.part == part]


def bad(found: list[Finding]) -> list[tuple[str, str]]:
    return [(each.part, each.state) for each in found if each.state in {"warning", "failed"}]


def only(found: list[Finding], part: str, state: str) -> str:
    """The one thing that is wrong, in words."""
    assert bad(found) == [(part, state)], [each for each in found if each.state != "ok"]
    [text] = [text for how, text in told(found, part) if how == state]
    return text


def body(**rows: Any) -> Any:
    return lambda seen: Said(200, rows)


def test_a_description_that_fits_is_found_right_part_by_part(wire: Wire, crm: ToldCrm) -> None:
    found = findings(wire)
    assert bad(found) == []
    seen = {each.part: each.text for each in found if each.state == "ok"}
    assert seen == {
        "identity": "the CRM answers, and says which one it is and who we are",
        "objects.customers.list": "3 rows on the first page, 7 in all",
        "objects.customers.id": "each id came once",
        "objects.customers.list.paging": "2 other rows on the second page",
        "objects.customers.fields": (
            "4 of 6 described fields seen with a value; empty in every row: owner, remark"
        ),
        "objects.customers.modified": (
            "moments of change can be read, written like 9999-99-99T99:99:99+99:99"
        ),
        "objects.customers.changes": "3 rows from the newest change on, which is among them",
        "objects.customers.deleted": "1 deleted record on the first page",
        "objects.customers.sweep": "7 ids on its first page",
        "objects.customers.read": "3 listed records read again",
        "objects.customers.read.missing": "a record that is not there is told as such",
        "writes.customers.locking": "records have the version that locking goes by",
        "writes.customers.tags": "3 tags on 3 records",
        "writes.customers.notes": "notes can be looked for",
    }
    assert told(found, "writes.customers") == [
        (
            "untried",
            "writing is never tried here (the update, tags, notes, locking): apply a first change "
            "with `apply --first 1`",
        )
    ]


def test_nothing_is_written_and_no_value_is_told(wire: Wire, crm: ToldCrm) -> None:
    crm.rows[0]["status"] = "hidden"
    crm.rows[1]["size"] = "very large"
    text = " ".join(f"{each.part} {each.text}" for each in findings(wire))
    assert {seen.method for seen in wire.seen} == {"GET"}
    for value in ("Secret", "hush", "hidden", "very large", "active"):
        assert value not in text


def test_refused_credentials_end_it(wire: Wire, crm: ToldCrm) -> None:
    crm.on["/me"] = lambda seen: Said(401, {"error": "key"})
    [found] = findings(wire)
    assert (found.part, found.state) == ("identity", "failed")
    assert found.text.startswith("the credentials were refused")
    assert len(wire.seen) == 1


@pytest.mark.parametrize(
    ("answer", "state", "text"),
    [
        (Said(404), "failed", "404"),
        (Said(200, {"organisation": "", "user": "u"}), "failed", "`id` is empty"),
        (Said(200, {"organisation": "a", "user": ""}), "warning", "`user_id` is empty"),
        (Said(200, {"user": "u"}), "failed", "organisation"),
    ],
)
def test_an_identity_that_says_too_little(
    answer: Said, state: str, text: str, wire: Wire, crm: ToldCrm
) -> None:
    crm.on["/me"] = lambda seen: answer
    found = findings(wire)
    assert text in only(found, "identity", state)
    assert (len(found) == 1) == (state == "failed")


def test_a_zone_that_nobody_knows_ends_it(wire: Wire, crm: ToldCrm) -> None:
    found = findings(
        wire, ('server: {url: "{{ url }}"}', 'server: {url: "{{ url }}", timezone: X}')
    )
    assert "none that this machine knows" in only(found, "server.timezone", "failed")


def test_an_object_that_cannot_be_listed_fails_alone(wire: Wire, crm: ToldCrm) -> None:
    found = findings(wire, ("rows: data\n      total", "rows: items\n      total"))
    assert bad(found) == [("objects.customers.list", "failed")]
    assert told(found, "objects.customers.read") == [
        ("untried", "no record was listed that could be read")
    ]


def test_without_rows_nothing_else_can_be_tried(wire: Wire, crm: ToldCrm) -> None:
    crm.rows = []
    assert "no row came" in only(findings(wire), "objects.customers.list", "warning")


def test_an_empty_list_that_looks_like_a_wrong_path(wire: Wire, crm: ToldCrm) -> None:
    crm.on["/customers"] = lambda seen: Said(404)
    found = findings(wire, ("total: count", "total: count\n      empty: [404]"))
    [text] = [text for state, text in told(found, "objects.customers.list") if state == "warning"]
    assert text.startswith(
        "answered 404, which counts as no records: a wrong path would look the same"
    )


def test_an_empty_list_by_the_status_for_it(wire: Wire, crm: ToldCrm) -> None:
    crm.on["/customers"] = lambda seen: Said(204)
    [(state, text)] = told(findings(wire), "objects.customers.list")
    assert (state, text.startswith("no row came")) == ("warning", True)


SHORT = ("total: count", "short_page_ends: true")


def test_a_short_page_with_others_behind_it(wire: Wire, crm: ToldCrm) -> None:
    """A server that lowers the size of pages without a word."""
    crm.page = lambda rows, offset, limit: rows[offset : offset + 2]
    text = only(findings(wire, SHORT), "objects.customers.list.paging", "warning")
    assert text == (
        "2 rows came where 3 rows were asked for, and more follow: a short page is not the last "
        "one; set `page_size` to 2, or take `short_page_ends` away"
    )


@pytest.mark.parametrize("behind", ["nothing", "an error", "the same again"])
def test_a_short_page_that_is_the_last_one(behind: str, wire: Wire, crm: ToldCrm) -> None:
    crm.rows = records(2)
    answer = crm._answer

    def last(seen: Seen) -> Said:
        if seen.query.get("offset", "0") == "0" or behind == "nothing":
            return answer(seen)
        return Said(416) if behind == "an error" else Said(200, {"data": crm.rows})

    crm.on["/customers"] = last
    found = findings(wire, SHORT)
    assert bad(found) == []
    assert told(found, "objects.customers.list.paging") == [
        ("ok", "the first page is the only one")
    ]


def test_more_rows_than_asked_for(wire: Wire, crm: ToldCrm) -> None:
    crm.page = lambda rows, offset, limit: rows[offset : offset + 5]
    text = only(findings(wire), "objects.customers.list", "warning")
    assert text == "5 rows came where 3 rows were asked for"


def test_a_count_that_is_not_there(wire: Wire, crm: ToldCrm) -> None:
    crm.count = lambda number: "many"
    found = findings(wire)
    assert "no count" in only(found, "objects.customers.list.total", "warning")
    assert told(found, "objects.customers.list")[0][1] == "3 rows on the first page"


@pytest.mark.parametrize(
    ("rows", "state", "text"),
    [
        ([{"name": "a"}], "failed", "no row has an id at 'id'"),
        ([{"id": 1}, {"id": 1}], "failed", "1 id came twice"),
        ([{"id": 1}, {"name": "a"}], "warning", "1 row without an id"),
        ([7, 8], "failed", "no row has an id"),
    ],
)
def test_ids_that_are_none(
    rows: list[Any], state: str, text: str, wire: Wire, crm: ToldCrm
) -> None:
    crm.on["/customers"] = body(data=rows, count=len(rows))
    found = findings(wire)
    [(seen, words), *_] = told(found, "objects.customers.id")
    assert seen == state
    assert text in words


def test_a_list_that_ignores_which_page_is_asked_for(wire: Wire, crm: ToldCrm) -> None:
    crm.page = lambda rows, offset, limit: rows[:limit]
    text = only(findings(wire), "objects.customers.list.paging", "failed")
    assert text == "the second page holds the rows of the first one again"


def test_rows_that_come_on_both_pages(wire: Wire, crm: ToldCrm) -> None:
    crm.page = lambda rows, offset, limit: rows[max(0, offset - 1) :][:limit]
    text = only(findings(wire), "objects.customers.list.paging", "failed")
    assert "came again on the second" in text


def test_rows_that_move_over_the_seam(wire: Wire, crm: ToldCrm) -> None:
    crm.page = lambda rows, offset, limit: rows[offset + bool(offset) :][:limit]
    text = only(findings(wire), "objects.customers.list.paging", "warning")
    assert "does not begin with the last row" in text


def test_rows_in_another_order_than_their_ids(wire: Wire, crm: ToldCrm) -> None:
    crm.rows = [crm.rows[place] for place in (1, 0, 2, 3, 5, 4, 6)]
    text = only(findings(wire), "objects.customers.list.paging", "warning")
    assert "not sorted by their id" in text


def test_rows_that_fall_are_sorted_too(wire: Wire, crm: ToldCrm) -> None:
    crm.rows.reverse()
    assert bad(findings(wire)) == []


KEYSET = (
    ('offset: "{{ offset }}"', 'offset: "{{ last or 0 }}"'),
    ("paging: {kind: offset}", "paging: {kind: keyset, by: size}"),
)


def test_a_keyset_that_rows_are_not_sorted_by(wire: Wire, crm: ToldCrm) -> None:
    for row, size in zip(crm.rows, (20, 10, 30, 40, 60, 50, 70), strict=True):
        row["size"] = size
    crm.page = lambda rows, offset, limit: [row for row in rows if row["size"] > offset][:limit]
    text = only(findings(wire, *KEYSET), "objects.customers.list.paging", "failed")
    assert "not sorted by 'size'" in text


def test_a_keyset_that_fits(wire: Wire, crm: ToldCrm) -> None:
    crm.page = lambda rows, offset, limit: [row for row in rows if row["size"] > offset][:limit]
    found = findings(wire, *KEYSET)
    assert bad(found) == []
    assert ("ok", "3 other rows on the second page") in told(found, "objects.customers.list.paging")


def test_one_page_that_is_not_all(wire: Wire, crm: ToldCrm) -> None:
    found = findings(
        wire,
        ("paging: {kind: offset}", "paging: {kind: none}"),
        ('offset: "{{ offset }}"', 'offset: "0"'),
    )
    text = only(found, "objects.customers.list.paging", "failed")
    assert text == "the CRM counts 7, and nothing leads on behind the first 3"


def test_one_page_that_is_all(wire: Wire, crm: ToldCrm) -> None:
    crm.rows = records(2)
    found = findings(wire, ("total: count", "total: count\n      short_page_ends: true"))
    assert bad(found) == []
    assert told(found, "objects.customers.list.paging") == [
        ("ok", "the first page is the only one")
    ]


def test_a_second_page_that_is_empty(wire: Wire, crm: ToldCrm) -> None:
    crm.page = lambda rows, offset, limit: [] if offset else rows[:limit]
    text = only(findings(wire), "objects.customers.list.paging", "failed")
    assert text == "the CRM counts 7, and the second page is empty"
    crm.count = lambda number: 3
    found = findings(wire)
    assert ("ok", "a second page was asked for, and is empty") in told(
        found, "objects.customers.list.paging"
    )


def test_fields_that_are_not_there_and_some_that_nobody_described(wire: Wire, crm: ToldCrm) -> None:
    for row in crm.rows:
        row["company_size"] = row.pop("size")
    found = findings(wire)
    assert bad(found) == [("objects.customers.fields", "warning")]
    texts = [text for _, text in told(found, "objects.customers.fields")]
    assert texts[0].startswith("described, and in none of 5 rows: size")
    assert texts[-1] == "there, and not described: company_size"


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("size", "large", "described as integer, and another text in 1 of 5 rows"),
        ("size", 1.5, "described as integer, and a number in 1 of 5 rows"),
        ("name", {"a": 1}, "described as text, and an object in 1 of 5 rows"),
        ("name", [1], "described as text, and a list in 1 of 5 rows"),
        ("tags", True, "described as tags, and true or false in 1 of 5 rows"),
        ("status", "other", "1 row with a value outside of its options"),
    ],
)
def test_values_of_another_type(
    field: str, value: Any, kind: str, wire: Wire, crm: ToldCrm
) -> None:
    crm.rows[3][field] = value
    assert only(findings(wire), f"objects.customers.fields.{field}", "warning") == kind


def test_moments_that_cannot_be_read(wire: Wire, crm: ToldCrm) -> None:
    found = findings(wire, ("modified: {path: changed, created: made}", "modified: name"))
    [(state, text)] = told(found, "objects.customers.modified")
    assert (state, text) == ("failed", "no row has a moment at 'name' that reads as iso")
    assert told(found, "objects.customers.changes")[0][0] == "untried"


def test_moments_that_are_null_until_the_first_change(wire: Wire, crm: ToldCrm) -> None:
    crm.rows[1]["changed"] = None
    assert bad(findings(wire)) == []
    found = findings(wire, ("modified: {path: changed, created: made}", "modified: changed"))
    assert ("writes.customers.locking", "failed") in bad(found)
    [(state, text), _] = told(found, "objects.customers.modified")
    assert state == "warning"
    assert "1 row of 5 without a moment" in text
    assert "name `created`" in text


def test_moments_without_an_offset(wire: Wire, crm: ToldCrm) -> None:
    for row in crm.rows:
        row["changed"] = row["changed"][:10] + " 10:00:00"
    crm.heeds_since = True
    crm._is_since = lambda row, since: row["changed"] >= since[:10]  # type: ignore[method-assign]
    text = only(findings(wire), "objects.customers.modified", "warning")
    assert "no offset" in text


def test_moments_ahead_of_the_clock_show_a_wrong_zone(wire: Wire, crm: ToldCrm) -> None:
    crm.rows[4]["changed"] = "2026-11-22T20:00:00Z"
    assert "ahead of the CRM's own clock" in only(
        findings(wire), "objects.customers.modified", "warning"
    )
    crm.date = None
    assert bad(findings(wire)) == []


def test_a_filter_that_is_not_heeded(wire: Wire, crm: ToldCrm) -> None:
    crm.heeds_since = False
    text = only(findings(wire), "objects.customers.changes", "warning")
    assert text.startswith("3 of 3 rows are older than what was asked for")


def test_a_filter_that_is_not_heeded_shows_by_tomorrow(wire: Wire, crm: ToldCrm) -> None:
    crm.heeds_since = False
    for row in crm.rows:
        row["changed"] = "2026-11-02T10:00:00Z"
    text = only(findings(wire), "objects.customers.changes", "warning")
    assert text.startswith("3 rows from tomorrow on")


def test_a_filter_that_leaves_the_moment_out(wire: Wire, crm: ToldCrm) -> None:
    crm.includes_since = False
    found = findings(wire)
    assert bad(found) == []
    assert "(>): the overlap of 30 seconds" in told(found, "objects.customers.changes")[0][1]
    found = findings(wire, ("overlap_seconds: 30", "overlap_seconds: 0"))
    assert "use >=" in only(found, "objects.customers.changes", "warning")


def test_a_server_that_refuses_the_future(wire: Wire, crm: ToldCrm) -> None:
    def refuse(seen: Seen) -> Said:
        is_ahead = seen.query.get("since", "") > "2026-11-22"
        return Said(400, {"error": "bad"}) if is_ahead else crm._answer(seen)

    crm.on["/customers"] = refuse
    found = findings(wire)
    assert bad(found) == []
    assert told(found, "objects.customers.changes")[-1][0] == "untried"


def test_changes_that_fill_their_page(wire: Wire, crm: ToldCrm) -> None:
    for row in crm.rows[4:]:
        row["changed"] = "2026-11-20T10:00:00Z"
    crm.rows = [*crm.rows[:4], *crm.rows[4:], *[{**row, "id": row["id"] + 9} for row in crm.rows]]
    crm.page = lambda rows, offset, limit: (
        rows[offset : offset + limit] if len(rows) == 14 else rows[:0:-1][offset:][:limit]
    )
    found = findings(wire)
    assert "more pages behind them" in told(found, "objects.customers.changes")[0][1]


TOMBSTONE = (
    "overlap_seconds: 30",
    "overlap_seconds: 30\n      tombstone: {path: deleted}",
)


def test_tombstones_are_told_from_changes(wire: Wire, crm: ToldCrm) -> None:
    found = findings(wire, TOMBSTONE)
    assert told(found, "objects.customers.changes.tombstone")[0][0] == "untried"
    crm.rows[6]["deleted"] = True
    found = findings(wire, TOMBSTONE)
    assert told(found, "objects.customers.changes.tombstone") == []


@pytest.mark.parametrize(
    ("data", "state", "text"),
    [
        ([{"id": 99}], "failed", "no id at 'gone'"),
        ([{"gone": 1}], "warning", "listed as deleted, and among the others"),
    ],
)
def test_deleted_lists_that_do_not_fit(
    data: list[Row], state: str, text: str, wire: Wire, crm: ToldCrm
) -> None:
    crm.on["/deleted"] = body(data=data)
    assert text in only(findings(wire), "objects.customers.deleted", state)


def test_a_deleted_list_without_a_moment_to_ask_from(wire: Wire, crm: ToldCrm) -> None:
    crm.date = None
    crm.rows = [{**row, "changed": None, "made": None} for row in crm.rows]
    found = findings(wire)
    assert told(found, "objects.customers.deleted")[0][0] == "untried"


def sweeping(crm: ToldCrm, rows: list[Row]) -> None:
    def answer(seen: Seen) -> Said:
        return Said(200, {"data": rows}) if seen.query.get("fields") else crm._answer(seen)

    crm.on["/customers"] = answer


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([], "or none"),
        ([{"uuid": 1}], "without an id"),
        (records(2), "1 listed record not among the swept ids"),
    ],
)
def test_a_sweep_that_does_not_show_everybody(
    rows: list[Row], text: str, wire: Wire, crm: ToldCrm
) -> None:
    sweeping(crm, rows)
    assert text in only(findings(wire), "objects.customers.sweep", "failed")


def reading(crm: ToldCrm, read: Any) -> None:
    crm.on["/customers"] = lambda seen: read(seen) if "ids" in seen.query else crm._answer(seen)


def test_a_read_that_shows_too_few(wire: Wire, crm: ToldCrm) -> None:
    reading(crm, body(data=[]))
    found = findings(wire)
    assert told(found, "objects.customers.read") == [
        ("failed", "0 of 3 listed records were shown when asked for")
    ]
    assert told(found, "objects.customers.read.missing")[0][0] == "failed"


def test_a_read_that_fails_when_one_is_missing(wire: Wire, crm: ToldCrm) -> None:
    def read(seen: Seen) -> Said:
        known = {str(row["id"]) for row in crm.rows}
        everybody = set(seen.query["ids"].split(",")) <= known
        return crm._answer(seen) if everybody else Said(400, {"error": "unheard_of"})

    reading(crm, read)
    text = only(findings(wire), "objects.customers.read.missing", "failed")
    assert "name its status in `missing`" in text


def test_a_read_that_shows_somebody_for_any_id(wire: Wire, crm: ToldCrm) -> None:
    def read(seen: Seen) -> Said:
        return Said(200, {"data": [{"id": each} for each in seen.query["ids"].split(",")]})

    reading(crm, read)
    found = findings(wire)
    assert ("objects.customers.read.missing", "warning") in bad(found)
    assert ("writes.customers.locking", "failed") in bad(found)


def test_texts_as_ids_are_asked_for_in_their_own_form(wire: Wire, crm: ToldCrm) -> None:
    for row in crm.rows:
        row["id"] = f"ab-{row['id']:03}"
    assert bad(findings(wire)) == []
    assert "00-000" in wire.seen[-4].query.get("ids", "") or any(
        "00-000" in seen.query.get("ids", "") for seen in wire.seen
    )


def test_long_numbers_as_ids_keep_their_length(wire: Wire, crm: ToldCrm) -> None:
    for row in crm.rows:
        row["id"] += 5_725_767_000_000_524_000
    assert bad(findings(wire)) == []
    assert any("5999999999999999999" in seen.query.get("ids", "") for seen in wire.seen)


def test_an_object_that_is_only_listed(wire: Wire, crm: ToldCrm) -> None:
    text = DESCRIPTION
    text = text[: text.index("    read:")] + text[text.index("facts:") :]
    description = read_description(Source(text, "crm.yaml"))
    adapter = RestAdapter(description, {"url": wire.url, "key": "x"}, timing=Timing())
    found = list(adapter.diagnose())
    adapter.close()
    assert bad(found) == []
    assert not [each for each in found if "read" in each.part or "writes" in each.part]


def test_a_catalogue_without_names(wire: Wire, crm: ToldCrm) -> None:
    crm.on["/tags"] = body(data=[{"id": 1}, {"id": 2, "name": "a"}])
    found = findings(wire)
    assert ("failed", "tags of the catalogue have no id, or no name, where told") in told(
        found, "writes.customers.tags"
    )


LIST = (
    DESCRIPTION[DESCRIPTION.index("      model: commands") : DESCRIPTION.index("    notes:")],
    "      model: list\n      field: labels\n",
)
NOTE_FIELD = (
    DESCRIPTION[DESCRIPTION.index("      model: records") : DESCRIPTION.index("facts:")],
    "      model: field\n      field: remarks\n",
)


def test_tag_and_note_fields_that_no_record_has(wire: Wire, crm: ToldCrm) -> None:
    found = findings(wire, LIST, NOTE_FIELD)
    assert told(found, "writes.customers.tags") == [
        ("warning", "no record that was read has 'labels'")
    ]
    assert told(found, "writes.customers.notes") == [
        ("warning", "no record that was read has 'remarks'")
    ]
    for row in crm.rows:
        row |= {"labels": ["vip", "new"], "remarks": ""}
    found = findings(wire, LIST, NOTE_FIELD)
    assert told(found, "writes.customers.tags") == [("ok", "6 tags on 3 records")]
    assert told(found, "writes.customers.notes") == [
        ("ok", "the field that notes go into is there")
    ]


def test_notes_that_are_found_by_any_marker(wire: Wire, crm: ToldCrm) -> None:
    crm.on["/notes"] = lambda seen: Said(
        200, {"data": [{"id": 5, "text": f"all of it {seen.query['text']}"}]}
    )
    assert "nobody wrote" in only(findings(wire), "writes.customers.notes", "warning")


def test_notes_that_cannot_be_looked_for(wire: Wire, crm: ToldCrm) -> None:
    found = findings(
        wire, ('text: "{{ note.text }}"', 'text: "{{ note.text }}"\n      lookup: none')
    )
    assert told(found, "writes.customers.notes")[0][0] == "untried"


def test_a_server_that_locks_nothing_is_told(wire: Wire, crm: ToldCrm) -> None:
    found = findings(wire, ('    locking: {headers: {If-Match: "{{ version }}"}}\n', ""))
    assert told(found, "writes.customers.locking")[0][1].startswith("none: the last write wins")


@pytest.mark.parametrize(
    ("kind", "good", "wrong"),
    [
        ("money", "12.50", "12,50"),
        ("number", 1.5, "one"),
        ("boolean", "true", 1),
        ("date", "2026-11-22", "22/11/2026"),
        ("datetime", 1_790_000_000, 1.5),
        ("reference", {"id": 7}, [7]),
        ("reference", 7, 7.5),
        ("other", [7], None),
    ],
)
def test_what_fits_a_type(kind: str, good: Any, wrong: Any, wire: Wire, crm: ToldCrm) -> None:
    change = ("remark: text", f"remark: {kind}")
    crm.rows[0]["remark"] = good
    assert bad(findings(wire, change)) == []
    if wrong is not None:
        crm.rows[0]["remark"] = wrong
        text = only(findings(wire, change), "objects.customers.fields.remark", "warning")
        assert text.startswith(f"described as {kind}, and ")


def test_the_help_to_run_this_very_command_is_left_out(wire: Wire, crm: ToldCrm) -> None:
    crm.on["/me"] = lambda seen: Said(404)
    text = only(findings(wire), "identity", "failed")
    assert "404" in text
    assert "highseas check" not in text


def test_a_zone_whose_template_cannot_be_filled(wire: Wire, crm: ToldCrm) -> None:
    zone = 'timezone: "{{ login.zone.name }}"'
    found = findings(
        wire, ('server: {url: "{{ url }}"}', f'server: {{url: "{{{{ url }}}}", {zone}}}')
    )
    assert [each.state for each in found if each.part == "server.timezone"] == ["failed"]


SMALLEST = """\
rest: 1
name: Smallest
settings: {url: {}}
server: {url: "{{ url }}"}
identity: {call: {path: /me}, id: "{{ answer.organisation }}", user_id: "{{ answer.user }}"}
objects:
  things:
    list: {path: /things}
    deleted: {path: /deleted, rows: data, id: gone}
"""


def smallest(wire: Wire, body: bytes) -> list[Finding]:
    def answer(seen: Seen) -> Said:
        return Said(200, body) if seen.path == "/things" else ToldCrm()._answer(seen)

    wire.route = answer
    adapter = RestAdapter(
        read_description(Source(SMALLEST, "crm.yaml")), {"url": wire.url}, timing=Timing()
    )
    try:
        return list(adapter.diagnose())
    finally:
        adapter.close()


def test_the_smallest_description_is_tried_too(wire: Wire) -> None:
    found = smallest(wire, b'[{"id": 1, "name": "a"}]')
    assert bad(found) == []
    assert told(found, "objects.things.fields") == [("ok", "there, and not described: name")]
    assert told(found, "objects.things.deleted")[0][0] == "untried"
    assert [text for _, text in told(smallest(wire, b'[{"id": 1}]'), "objects.things.fields")] == []


def test_a_row_that_cannot_be_read_has_no_id(wire: Wire) -> None:
    found = smallest(wire, b'[{"id": 1, "name": "a"}, {"id": 2, "name": "\xff"}]')
    assert told(found, "objects.things.id")[0] == ("warning", "1 row without an id")


def test_numbers_as_moments(wire: Wire, crm: ToldCrm) -> None:
    for number, row in enumerate(crm.rows):
        row["changed"] = 1_790_000_000 + number
    crm._is_since = lambda row, since: False  # type: ignore[method-assign]
    change = (
        "modified: {path: changed, created: made}",
        "modified: {path: changed, as: epoch_seconds}",
    )
    found = findings(wire, change)
    assert "written like 9999999999" in told(found, "objects.customers.modified")[0][1]
