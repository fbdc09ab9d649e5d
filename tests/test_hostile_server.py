"""A server that answers as badly as it can: each time a clear error or a correct result, and
credentials never leave its address. Through the whole command line."""

from __future__ import annotations

import gzip
import json
import re
import time
from dataclasses import replace
from typing import Any

import pytest

from tests.hostile_server import Route, Said, Seen, is_list, torn
from tests.hostile_world import MARK, PERSON, World, row

pytest_plugins = ["tests.hostile_fixtures"]


def test_the_good_server_of_these_tests_is_good(world: World) -> None:
    world.seed(1, 2, 3)
    world.describe()
    found = world.done("check")["findings"]
    assert {each["state"] for each in found} == {"ok", "untried"}
    world.done("pull")
    assert world.ids() == ["1", "2", "3"]
    assert world.done("plan")["plan"]["changes"] == 3
    assert world.crm.writes == []
    world.settled()
    assert len(world.crm.writes) == 6


# Links and redirects.

ELSEWHERE = (
    "http://{other}/api/customers?cursor=2",
    "HTTP://{other}/api/customers",
    "//{other}/api/customers?cursor=2",
    "http://user@{crm}/api/customers?cursor=2",
    "http://user:word@{crm}/api/customers?cursor=2",
    "http://{crm}@{other}/api/customers",
    "http://{crm}#@{other}/",
    "http://localhost:{port}/api/customers?cursor=2",
    "https://{crm}/api/customers?cursor=2",
    "http://{crm}.{other}/api/customers",
    "file:///etc/hostname",
    "\\\\{other}/api/customers",
    "/\\{other}/api/customers",
    "http:\\\\{other}\\api",
    "ht\ntp://{other}/api",
    "\t//{other}/api/customers",
    "http:///{other}/api/customers",
    "///{other}/api/customers",
    "////{other}/api/customers",
    "@{other}/api",
    ":{otherport}/api",
    ".{other}/api",
    "http://[broken",
    "http://{crm}:99999999/api",
    "http://\u2100{other}/api",
    "/api/customers/%zz\u0000",
    "x" * 60_000,
    f"/api/{MARK}\x1b[31m",
)


@pytest.mark.parametrize("place", ["link", "link_header"])
def test_a_link_never_leads_to_another_address(world: World, place: str) -> None:
    crm, other = world.crm.host, world.other.host
    names = {"port": crm.split(":")[1], "otherport": other.split(":")[1]}
    world.seed(1, 2, 3)
    world.describe(paging=place, total=True)
    for link in ELSEWHERE:
        target = link.format(crm=crm, other=other, **names)
        if place == "link_header":
            target = re.sub(r"[^ -~]", "", target)
        world.crm.bad = led_to(world, target, place)
        told = world.fails("pull")
        assert target not in told


def led_to(world: World, target: str, place: str) -> Route:
    """The first page is good, and this is said to be the second."""
    headers = (("Link", f'<{target}>; rel="next"'),) if place == "link_header" else ()

    def page(seen: Seen) -> Said | None:
        if seen.target != "/api/customers?limit=2":
            return None
        said = world.crm.page(world.crm.contents.customers[:1], link=target)
        return replace(said, headers=headers)

    return page


def test_a_link_to_the_same_address_is_followed(world: World) -> None:
    world.seed(*range(1, 8))
    world.describe(paging="link")
    world.done("pull")
    assert len(world.ids()) == 7


@pytest.mark.parametrize("is_away", [True, False])
def test_no_redirect_is_followed_by_a_read(world: World, is_away: bool) -> None:
    host = world.other.host if is_away else world.crm.host
    location = ("Location", f"http://{host}/api/elsewhere")
    world.seed(1)
    world.describe()
    for status in (301, 302, 303, 307, 308):
        said = Said(status, b"", (location,))
        world.crm.say_to_lists(said)
        assert f"redirect, which is never followed ({status}" in world.fails("pull")
        assert world.run("check").code == 5
    assert not [seen for seen in world.crm.seen if "elsewhere" in seen.target]


# Pages without an end.


def endless(world: World, **more: Any) -> None:
    def page(seen: Seen) -> Said | None:
        if not is_list(seen):
            return None
        number = world.crm.pages
        fill = {key: value(number) if callable(value) else value for key, value in more.items()}
        return Said(200, {"total": 3, **fill})

    world.crm.bad = page


@pytest.mark.parametrize(
    ("more", "fact", "most"),
    [
        ({"items": [{"id": 1}], "next": "same"}, "same", 3),
        ({"items": lambda n: [{"id": n}], "next": "same"}, "same next page twice", 3),
        ({"items": [{"id": 1}], "next": str}, "same page twice", 3),
        ({"items": [{"id": 1}], "next": lambda n: ["a", "b"][n % 2]}, "twice", 4),
        ({"items": [], "next": str}, "empty pages in a row", 1100),
        (
            {
                "items": lambda n: [{"id": n * 5000 + i} for i in range(5000)],
                "next": str,
            },
            "more than 10006 records",
            4,
        ),
    ],
    ids=["same", "same token", "same ids", "two tokens", "empty", "ever new"],
)
def test_endless_pages_end(world: World, more: dict[str, Any], fact: str, most: int) -> None:
    endless(world, **more)
    world.describe(total=True, pacing={"body_megabytes": 8})
    assert fact in world.fails("pull")
    assert world.crm.pages <= most


# Bodies.

MEGABYTE = 1024 * 1024
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def _flood(write: Any) -> None:
    write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    for _ in range(2048):
        write(b"100000\r\n" + bytes(MEGABYTE) + b"\r\n")


def _long(write: Any) -> None:
    write(HEAD + b"Content-Length: %d\r\n\r\n" % (2048 * MEGABYTE))
    for _ in range(2048):
        write(bytes(MEGABYTE))


def _bomb(write: Any) -> None:
    packed = gzip.compress(bytes(16 * MEGABYTE), mtime=0)
    write(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % (128 * len(packed)))
    for _ in range(128):
        write(packed)


def _drip(write: Any) -> None:
    write(HEAD + b"Content-Length: 1000\r\n\r\n")
    for _ in range(200):
        write(b" ")
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("raw", "fact"),
    [
        (_flood, "too long or unreadable"),
        (_long, "too long or unreadable"),
        (_bomb, "too long or unreadable"),
        (_drip, "could not be reached (ReadTimeout"),
    ],
)
def test_a_body_is_read_within_bounds(world: World, raw: Any, fact: str) -> None:
    world.crm.say_to_lists(Said(raw=raw))
    world.describe()
    begun = time.monotonic()
    assert fact in world.fails("pull")
    assert time.monotonic() - begun < 6
    assert world.crm.sent < 32 * MEGABYTE


def plain(body: bytes, *headers: str) -> bytes:
    lines = [f"{header}\r\n".encode() for header in headers]
    return b"HTTP/1.1 200 OK\r\n" + b"".join(lines) + b"\r\n" + body


def row_text() -> bytes:
    return json.dumps(row(1)).encode()


GOOD = json.dumps({"items": [row(1)]}).encode()
EMPTY = b'{"items": [], "total": 0}'


@pytest.mark.parametrize(
    "answer",
    [
        plain(GOOD, "Content-Type: text/html", f"Content-Length: {len(GOOD)}"),
        plain(GOOD, "Content-Type: image/png; charset=utf-16", f"Content-Length: {len(GOOD)}"),
        plain(b"\xef\xbb\xbf" + GOOD, f"Content-Length: {len(GOOD) + 3}"),
        plain(GOOD).replace(b"1.1", b"1.0"),
        plain(GOOD, "Connection: close"),
        b"HTTP/1.1 100 Continue\r\n\r\n" + plain(GOOD),
        plain(GOOD, *[f"X-{n}: {'x' * 60_000}" for n in range(90)]),
        plain(GOOD, "Date: Mon, 01 Jan 99999999999 00:00:00 GMT"),
        plain(GOOD, "Date: Fri, 31 Dec 9999 23:59:59 -1200"),
        plain(GOOD, "Date: Fri, 01 Jan 0001 00:00:00 +1200"),
        plain(GOOD, "Date: nonsense"),
        plain(GOOD, "Content-Length: many"),
        plain(GOOD, "Content-Length: -1"),
    ],
    ids=[
        *("type", "image", "bom", "http 1.0", "close", "continue", "headers"),
        *("date", "late", "early", "nonsense", "length", "negative"),
    ],
)
def test_an_odd_answer_that_is_right_is_taken(world: World, answer: bytes) -> None:
    world.crm.say_to_lists(torn(answer))
    world.describe()
    world.done("pull")
    assert world.staged() == [("1", PERSON)]


def test_no_cookie_is_taken(world: World) -> None:
    def page(seen: Seen) -> Said:
        said = world.crm.good(seen)
        return replace(said, headers=(*said.headers, ("Set-Cookie", "session=1; Path=/")))

    world.crm.bad = page
    world.seed(*range(1, 8))
    world.describe()
    world.done("pull")
    assert world.crm.pages == 4
    assert all("cookie" not in seen.headers for seen in world.crm.seen)


UNREADABLE = (
    (plain(f"<html>{MARK}</html>".encode()), "not JSON"),
    (plain(b""), "only in part JSON"),
    (plain(MARK.encode()), "not JSON"),
    (plain(b'{"items": [' + row_text() + b', {"id": NaN}]}'), "not JSON"),
    (plain(b'{"items": [], "x": Infinity}'), "not JSON"),
    (plain(b'{"items": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"), ""),
    (plain(b"[" * 100_000), ""),
    (plain(b'{"a":' * 100_000), ""),
    (plain(b'{"items": {"1": {}}}'), "no list"),
    (plain(b'{"other": []}'), "no list"),
    (plain(b'"' + MARK.encode() + b'"'), "no list"),
    (plain(b"null"), "no list"),
    (plain(GOOD, f"Content-Length: {len(GOOD) - 5}"), "not JSON"),
    (plain(GOOD, f"Content-Length: {len(GOOD) + 5}"), "could not be reached"),
    (plain(EMPTY, f"Content-Length: {len(EMPTY) + 5}"), "could not be reached"),
    (plain(GOOD, "Transfer-Encoding: chunked"), "could not be reached"),
    (plain(GOOD, "Content-Encoding: gzip"), ""),
    (plain(GOOD, "Content-Encoding: br"), "too long or unreadable"),
    (plain(GOOD, f"X-Long: {'x' * 70_000}"), "could not be reached"),
    (plain(GOOD, *[f"X-{n}: 1" for n in range(300)]), "could not be reached"),
    (b"HTTP/1.1 103 Early Hints\r\n\r\n" + plain(GOOD), ""),
    (b"HTTP/1.1 304 Not Modified\r\n\r\n", ""),
    (b"HTTP/1.1 999 What\r\n\r\n" + GOOD, ""),
    (b"HTTP/1.1 abc\r\n\r\n", "could not be reached"),
    (b"SSH-2.0-OpenSSH\r\n", "could not be reached"),
    (b"", "could not be reached"),
    (GOOD, "could not be reached"),
)


def test_an_answer_that_cannot_be_read_is_told(world: World) -> None:
    world.describe()
    for answer, fact in UNREADABLE:
        world.crm.say_to_lists(torn(answer))
        assert fact in world.fails("pull"), answer[:300]


def test_no_content_is_an_end_and_never_all(world: World) -> None:
    answer = b"HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\nleft over"
    world.crm.say_to_lists(torn(answer))
    world.describe()
    assert "no customers at all" in world.fails("pull", code=3)
