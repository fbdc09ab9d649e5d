"""A server that answers to writes as badly as it can: nothing is doubled, nothing goes elsewhere.
Through the whole command line."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.hostile_server import CUT, KEY, Said, Seen, torn
from tests.hostile_world import BATCH, MARK, PERSON, PHONE, World

pytest_plugins = ["tests.hostile_fixtures"]

MEGABYTE = 1024 * 1024
PATHS = {"update": "/api/customers/", "note": "/api/notes", "batch": "/api/batch"}
OK = b"HTTP/1.1 200 OK\r\n"
BOMB = gzip.compress(bytes(16 * MEGABYTE), mtime=0)
BAD = {
    "html": Said(200, f"<html>{MARK}</html>".encode()),
    "text": Said(200, f"error: {PERSON}".encode()),
    "empty": Said(200, b""),
    "no content": Said(204),
    "list": Said(200, []),
    "error": Said(500, {"error": {"code": PERSON}}),
    "gateway": Said(502, f"<html>{MARK}</html>".encode()),
    "timeout": Said(504),
    "killed": CUT,
    "torn": torn(OK + b'Content-Length: 100\r\n\r\n{"da'),
    "short": torn(OK + b"Content-Length: 1\r\n\r\n{}"),
    "status": torn(b"HTTP/1.1 20"),
    "slow": Said(raw=lambda write: time.sleep(1.3)),
    "bomb": torn(OK + b"Content-Encoding: gzip\r\n\r\n" + BOMB),
    "deep": torn(OK + b"\r\n" + b"[" * 100_000),
    "bytes": torn(OK + b'\r\n{"data": "\xff\xfe"}'),
    "found": Said(302, b"", (("Location", "/api/elsewhere"),)),
}
NO_YES = {
    "early": torn(b"HTTP/1.1 103 Early\r\n\r\n"),
    "unchanged": torn(b"HTTP/1.1 304 Not Modified\r\n\r\n"),
}
# Whoever says "done" in so many words, or without any, is believed until the next pull.
LIES = {"empty", "no content", "list"}


def writing(world: World, path: str, answers: Sequence[Callable[[Seen], Said]]) -> None:
    """The first writes to a path get these answers, one each; later ones are treated well."""
    left = list(answers)

    def bad(seen: Seen) -> Said | None:
        with world.crm.lock:
            is_meant = seen.method != "GET" and seen.path.startswith(path) and left
            answer = left.pop(0) if is_meant else None
        return answer(seen) if answer else None

    world.crm.bad = bad


def planned(world: World, *identifiers: Any, **form: Any) -> None:
    """Customers, pulled, with a plan to write to each of them; nothing of it is written yet."""
    world.seed(*identifiers)
    world.describe(page_size=50, **form)
    world.done("plan")
    assert world.crm.writes == []


def instead(said: Said) -> Callable[[Seen], Said]:
    return lambda seen: said


def behind(world: World, said: Said) -> Callable[[Seen], Said]:
    """The good server does it, and then this is said."""

    def answer(seen: Seen) -> Said:
        world.crm.good(seen)
        return said

    return answer


@pytest.mark.parametrize("kind", PATHS)
def test_what_was_done_behind_a_bad_answer_is_not_done_again(world: World, kind: str) -> None:
    every = {**BAD, **NO_YES}
    writing(world, PATHS[kind], [behind(world, said) for said in every.values()])
    batch = {"batch": {**BATCH, "size": 2}} if kind == "batch" else {}
    planned(world, *range(1, len(every) * (2 if batch else 1) + 1), writes=batch)
    world.run("apply", "--yes")
    world.settled()


@pytest.mark.parametrize("kind", PATHS)
def test_what_was_not_done_behind_a_bad_answer_is_done_later(world: World, kind: str) -> None:
    honest = [instead(said) for name, said in BAD.items() if name not in LIES]
    writing(world, PATHS[kind], honest)
    batch = {"batch": {**BATCH, "size": 2}} if kind == "batch" else {}
    planned(world, *range(1, len(honest) * (2 if batch else 1) + 1), writes=batch)
    world.run("apply", "--yes")
    world.settled()


@pytest.mark.parametrize("name", NO_YES)
def test_an_update_that_nobody_said_yes_to_is_not_done(world: World, name: str) -> None:
    writing(world, PATHS["update"], [instead(NO_YES[name])])
    planned(world, 1)
    world.run("apply", "--yes")
    world.settled()


def test_a_yes_that_was_a_lie_shows_in_the_next_plan(world: World) -> None:
    writing(world, PATHS["update"], [instead(BAD[name]) for name in sorted(LIES)])
    planned(world, 1, 2, 3)
    world.done("apply", "--yes")
    assert all(each["tags"] == ["vip"] for each in world.crm.contents.customers)
    world.done("plan")
    # Whoever finds our tag gone takes it for a colleague's wish, and leaves it at that.
    assert {each["status"] for each in world.plan_rows()} == {"overruled"}
    world.done("apply", "--yes")
    assert len(world.crm.contents.notes) == 3


REDIRECTS = [301, 302, 303, 307, 308]


@pytest.mark.parametrize(
    ("kind", "is_away"),
    [("update", True), ("update", False), ("note", True), ("batch", True)],
)
def test_no_redirect_is_followed_by_a_write(world: World, kind: str, is_away: bool) -> None:
    host = world.other.host if is_away else world.crm.host
    location = ("Location", f"http://{host}/api/elsewhere")
    answers = [instead(Said(status, b"", (location,))) for status in REDIRECTS]
    writing(world, PATHS[kind], [*answers])
    planned(world, 1, 2, 3, 4, 5, writes={"batch": BATCH} if kind == "batch" else {})
    world.run("apply", "--yes")
    world.settled()
    assert not [seen for seen in world.crm.seen if "elsewhere" in seen.target]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, "update"), (401, "note"), (403, "note"), (403, "batch"), (429, "update"), (429, "note")],
)
def test_a_no_to_every_write_ends_the_run_and_says_nothing_of_it(
    world: World, status: int, kind: str
) -> None:
    body = {"error": {"code": f"{PERSON} {PHONE} {KEY}", "message": MARK}}
    said = Said(status, body, (("Retry-After", "1000000000"),))
    writing(world, PATHS[kind], [instead(said)] * 1000)
    planned(world, 1, 2, writes={"batch": BATCH} if kind == "batch" else {})
    code = world.run("apply", "--yes").code
    if (status, kind) == (403, "batch"):  # each by itself is taken
        assert code == 0
        world.settled()
        return
    assert code in {1, 5}
    assert world.crm.contents.notes == []
    world.crm.bad = lambda seen: None
    if status != 403:  # the CRM has judged: what was refused is not asked for again
        world.settled()


# Batches.


def results(world: World, change: Callable[[list[Any]], Any]) -> Callable[[Seen], Said]:
    """The batch is done, and its results are told otherwise."""

    def answer(seen: Seen) -> Said:
        told = json.loads(json.dumps(world.crm.good(seen).body))["responses"]
        return Said(200, {"responses": change(told)})

    return answer


CHANGES: tuple[Callable[[list[Any]], Any], ...] = (
    lambda rows: rows[:-1],
    lambda rows: [*rows, rows[0]],
    lambda rows: [],
    lambda rows: None,
    lambda rows: {"0": rows[0]},
    lambda rows: rows[::-1],
    lambda rows: [None for _ in rows],
    lambda rows: [{} for _ in rows],
    lambda rows: [{"status": "fine"} for _ in rows],
    lambda rows: [{"status": 200.0} for _ in rows],
    lambda rows: [{"status": True} for _ in rows],
    lambda rows: [{"status": 10**30} for _ in rows],
    lambda rows: [{"status": 500, "body": {"error": {"code": PERSON}}} for _ in rows],
    lambda rows: [[200], "200"],
)


def test_results_that_do_not_fit_are_settled_by_reading(world: World) -> None:
    writing(world, PATHS["batch"], [results(world, change) for change in CHANGES])
    planned(world, *range(1, 2 * len(CHANGES) + 1), writes={"batch": {**BATCH, "size": 2}})
    world.run("apply", "--yes")
    world.settled()


def test_results_in_another_order_are_not_taken_for_one_another(world: World) -> None:
    def turned(seen: Seen) -> Said:
        one, *rest = seen.json["requests"]
        done = [world.crm.update(each["id"], each["body"]) for each in rest]
        rows = [{"id": one["id"], "status": 422, "body": {}}]
        rows += [{"id": body["item"]["id"], "status": status} for status, body in done]
        return Said(200, {"responses": rows[::-1]})

    writing(world, PATHS["batch"], [turned])
    told = {**BATCH, "result": {**BATCH["result"], "id": "id"}}
    planned(world, 1, 2, 3, writes={"batch": told})
    world.run("apply", "--yes")
    refused = [row for row in world.plan_rows() if "refused" in json.dumps(row)]
    marked = [each for each in world.crm.contents.customers if each["tags"] != ["vip"]]
    assert len(marked) == 2
    noted = {note["customer"] for note in world.crm.contents.notes}
    assert noted <= {str(each["id"]) for each in marked}, refused


# What stands in an address or a header.


@pytest.mark.parametrize("identifier", ["1\r\nX-Evil: 1", "1\nX-Evil: 1", "客户", "1\x00", " 1"])
def test_no_id_becomes_a_second_header(world: World, identifier: str) -> None:
    planned(world, identifier, headers={"X-Record": "{{ id }}"})
    fact = world.fails("apply", "--yes", code=2)
    assert fact.startswith("the header X-Record")
    assert not [seen for seen in world.crm.seen if "x-evil" in seen.headers]
    assert world.crm.writes == []


@pytest.mark.parametrize("identifier", [".", ".."])
def test_an_id_that_would_lead_to_another_address_is_not_sent(
    world: World, identifier: str
) -> None:
    planned(world, identifier)
    assert "cannot stand in an address" in world.fails("apply", "--yes")
    assert world.crm.writes == []
