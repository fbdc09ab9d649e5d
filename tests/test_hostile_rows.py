"""Rows that come twice, move, or hold what JSON, Python or a database could bend; errors that say
too much. Through the whole command line."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.hostile_server import KEY, Said, torn
from tests.hostile_world import BATCH, MANY, MARK, ONE, PERSON, PHONE, World, row

pytest_plugins = ["tests.hostile_fixtures"]

# Rows that come and go, and come twice.

NUMBERED = ["page", "offset"]


@pytest.mark.parametrize("paging", [*NUMBERED, "keyset"])
@pytest.mark.parametrize("name", [PERSON, "another"], ids=["equal", "different"])
def test_a_row_that_is_on_two_numbered_pages_is_refused(
    world: World, paging: str, name: str
) -> None:
    world.seed(1, 2, 3, 4, 5)
    world.crm.contents.customers.insert(3, row(1, name=name))
    world.describe(paging=paging)
    assert "moved between pages" in world.fails("pull")


@pytest.mark.parametrize("paging", ["cursor", "link", "link_header"])
def test_a_row_that_is_on_two_pages_behind_a_token_counts_as_it_came_last(
    world: World, paging: str
) -> None:
    world.seed(1, 2, 3)
    world.crm.contents.customers.append(row(1, name="later"))
    world.describe(paging=paging)
    world.done("pull")
    assert world.staged() == [("1", "later"), ("2", PERSON), ("3", PERSON)]


@pytest.mark.parametrize("paging", [*NUMBERED, "keyset", "cursor"])
@pytest.mark.parametrize("change", ["insert", "delete"])
def test_rows_that_move_meanwhile_are_all_there(world: World, paging: str, change: str) -> None:
    """A colleague works on page 1 while page 2 is being asked for."""
    world.seed(*range(10, 60, 10))

    def move(number: int) -> None:
        rows = world.crm.contents.customers
        if number == 2 and change == "delete":
            del rows[0]
        elif number == 2:
            rows.insert(1, row(15))

    world.crm.before_page = move
    world.describe(paging=paging, total=True)
    if paging == "cursor":  # its tokens are offsets in disguise: a wrong count is all that shows
        answer = world.run("-q", "pull")
        assert answer.code in {0, 1}
        assert answer.code == 1 or len(world.ids()) >= 4
        return
    world.done("pull")
    assert {"20", "30", "40", "50"} <= set(world.ids())
    assert ("15" in world.ids()) == (change == "insert" and paging != "keyset")


@pytest.mark.parametrize("paging", ["cursor", "keyset"])
def test_a_total_that_lies_never_hides_a_record(world: World, paging: str) -> None:
    world.seed(1, 2, 3, 4, 5)
    world.describe(paging=paging, total=True)
    for total in (1, 0, -7, "many", None, 2.5, True, [5]):
        world.crm.count(total)
        world.done("pull")
        assert world.ids() == ["1", "2", "3", "4", "5"]
    world.crm.count(10**30)
    assert "lists 5 different ones" in world.fails("pull")


# Ids and rows that JSON, Python or a database could bend.

LARGE = (2**53 - 1, 2**53 + 1, 2**63, 2**64 - 1, 2**64 + 1, 10**30 + 1)
ODD = (
    *("a/b", 'q"uo', "it's", "a:b", "50%", "%2F", "客户", "😀", "a b", "../me", "?x=1#y", "a;b"),
    *("back\\slash", "new\nline", "nul\u0000", " lead", "{{ id }}", "-1", "1e3", "Straße", "é"),
)


@pytest.mark.parametrize(("read", "batch"), [(MANY, None), (ONE, BATCH)], ids=["many", "one"])
@pytest.mark.parametrize("identifiers", [LARGE, ODD], ids=["large", "odd"])
def test_ids_stay_what_they_are(
    world: World, identifiers: tuple[Any, ...], read: Any, batch: Any
) -> None:
    names = [str(identifier) for identifier in identifiers]
    world.seed(*identifiers)
    world.describe(read=read, page_size=10, writes={"batch": batch} if batch else {})
    world.done("pull")
    assert sorted(world.ids()) == sorted(names)
    world.done("plan")
    assert {each["customer"] for each in world.plan_rows()} == {f"customers:{n}" for n in names}
    assert world.crm.writes == []
    world.settled()


@pytest.mark.parametrize("total", [False, True])
def test_an_id_as_number_and_as_text_is_one(world: World, total: bool) -> None:
    world.crm.contents.customers += [row(1, name="first"), row("1", name="second")]
    world.describe(page_size=10, total=total)
    if total:
        assert "counts 2 records of customers and lists 1" in world.fails("pull")
    else:
        world.done("pull")
        assert world.staged() == [("1", "second")]


GOOD_ROW = json.dumps(row(1))


def with_row(text: bytes) -> bytes:
    return f"[{GOOD_ROW},".encode() + text + b"]"


def odd_row(extra: str, identifier: str = "2") -> bytes:
    """The second row, in which `\\xff` stands for a byte that is none of UTF-8."""
    name = "" if '"name"' in extra else '"name":"N",'
    text = f'{{"id":{identifier},{name}"industry":"quiet",{extra}}}'
    return text.encode().replace("\xff".encode(), b"\xff")


STAGED = (
    ('"x":1e400', "N"),
    ('"x":-1e400,"y":1E-400', "N"),
    ('"x":' + "[" * 90 + "]" * 90, "N"),
    ('"name":"\\ud800"', "\ufffd"),
    ('"x":"\\ud83d"', "N"),
    ('"x":"\\u0000"', "N"),
    ('"":1,"id ":7,"Name":"no","ID":9', "N"),
    ('"x":123456789012345678901234567890.123456789012345678901234567890', "N"),
    ('"x":{"id":5}', "N"),
)


def test_odd_rows_are_staged_right(world: World) -> None:
    texts = [odd_row(extra, str(100 + place)) for place, (extra, _) in enumerate(STAGED)]
    world.crm.write_rows(with_row(b",".join(texts)))
    world.seed(1)
    world.describe()
    world.done("pull")
    expected = [(str(100 + place), name) for place, (_, name) in enumerate(STAGED)]
    assert world.staged() == [("1", PERSON), *expected]


@pytest.mark.parametrize("text", [odd_row('"name":"A","name":"B"'), odd_row('"id":5', "4")])
def test_a_row_with_a_key_twice_is_told_and_spoils_no_later_pull(world: World, text: bytes) -> None:
    world.crm.write_rows(with_row(text))
    world.seed(1)
    world.describe()
    assert "one field comes twice" in world.fails("pull")
    world.crm.write_rows(f"[{GOOD_ROW}]".encode())
    world.done("pull")
    assert world.ids() == ["1"]


REJECTED = (
    ('"phone":"\xff"', "10"),
    ('"na\xffme":1', "11"),
    ('"x":"\xff"', "12"),
    ('"rev":1e400', "13"),
    ('"tags":{"a":1}', "14"),
    ('"name":["list"]', "15"),
)


def test_rows_that_cannot_be_staged_are_left_out_and_told(world: World) -> None:
    texts = [odd_row(extra, identifier) for extra, identifier in REJECTED]
    world.crm.write_rows(with_row(b",".join(texts)))
    world.seed(1)
    world.describe()
    [told] = world.done("pull", code=5)["pull"]["objects"]
    assert told["rejected"] == len(REJECTED)
    assert sorted(each["id"] for each in told["examples"])[:1] == ["10"]
    assert world.ids() == ["1"]


NO_RECORDS = (b"null", b"[1,2]", b'"text"', b"7", b"true", b"{}")
NO_IDS = ("null", "1.5", "2.0", "1e3", "true", '""', '{"a":1}', "[1]")


def test_customers_without_an_id_are_refused(world: World) -> None:
    world.seed(1)
    world.describe()
    for text in (*NO_RECORDS, *(odd_row('"x":1', identifier) for identifier in NO_IDS)):
        world.crm.write_rows(with_row(text))
        assert "without an id" in world.fails("pull", code=3), text


LISTS, OBJECTS = "[" * 100_000 + "]" * 100_000, '{"a":' * 100_000 + "1" + "}" * 100_000


@pytest.mark.parametrize("inner", [LISTS, OBJECTS], ids=["lists", "objects"])
def test_depths_are_not_entered(world: World, inner: str) -> None:
    world.seed(1)
    world.describe(pacing={"body_megabytes": 2})
    for field in ("x", "name", "tags", "id"):
        world.crm.write_rows(with_row(odd_row(f'"{field}":{inner}')))
        assert "JSON" in world.fails("pull"), field


# A server that says "later", or says too much.

AFTER = ["-5", "1000000000", "9" * 400, "Wed, 21 Oct 2015 07:28:00 GMT", "soon", "1e9", "inf", ""]
AFTER += ["Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 99999999999 00:00:00 GMT", "²"]


@pytest.mark.parametrize("status", [429, 503])
def test_an_absurd_moment_to_come_again_is_no_reason_to_wait(world: World, status: int) -> None:
    world.describe()
    for after in AFTER:
        said = f"HTTP/1.1 {status} No\r\nRetry-After: {after}\r\nContent-Length: 0\r\n\r\n"
        bad = torn(said.encode("latin-1"))
        world.crm.say_to_lists(bad)
        begun = time.monotonic()
        assert str(status) in world.fails("pull")
        assert time.monotonic() - begun < 4
    world.crm.bad = lambda seen: None
    world.seed(1)
    world.done("pull")


CODES = [
    {"error": {"code": MARK + " " + PERSON}},
    {"error": {"code": PHONE}},
    {"error": {"code": int(PHONE)}},
    {"error": {"code": [PHONE], "message": f"{PERSON} {PHONE} {KEY}"}},
    {"error": {"code": "a\x1b[31mb"}},
    f"Token {KEY} of {PERSON} {MARK}",
    {"error": {"code": KEY}},
    {"error": {"code": f"bad_{KEY}"}},
]


@pytest.mark.parametrize("status", [400, 401, 500])
@pytest.mark.parametrize(
    "bodies",
    [CODES[:-2], CODES[-2:]],
    ids=["others", "key"],
)
def test_what_an_error_says_is_not_repeated(world: World, status: int, bodies: list[Any]) -> None:
    headers = (("X-Status-Reason", f"{PERSON} {KEY}"), ("WWW-Authenticate", KEY))
    world.describe()
    for body in bodies:
        said = Said(status, body, headers)
        world.crm.say_to_lists(said)
        told = world.fails("pull")
        assert str(status) in told
        assert "\x1b" not in told
        assert KEY not in told
