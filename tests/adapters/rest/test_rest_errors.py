"""What an answer means: for the call, for one record, and when it cannot be read at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.calls import AmbiguousWrite, Answer, Call, CallRefused
from adapters.http import HttpClient, HttpSettings, Timing
from adapters.rest.errors import RowMeaning, code_of, error_table, meaning, shown_code
from adapters.rest.replies import DEEPEST, Unreadable, decoded
from adapters.rest.schema.description import Description, Errors, Meaning
from connector.errors import (
    AuthenticationError,
    HighseasError,
    ProtocolError,
    QuotaError,
    UnavailableError,
)

READ = Call("GET", "/things")
WRITE = Call("POST", "/things", body=b"{}", writes=True)
RPC = {"path": "error", "missing": True}
FLAG = {"path": "head.ok", "ok": [True]}


@pytest.fixture
def client_of(wire: Any, fake_time: Any) -> Iterator[Any]:
    opened: list[HttpClient] = []

    def make(retry_after: str | None = None, **errors: Any) -> HttpClient:
        description = Description.model_validate(
            {
                "rest": 1,
                "name": "Acme",
                "server": {"url": wire.url},
                "identity": {"call": {"path": "/me"}, "id": "1"},
                "objects": {"Things": {"list": {"path": "/things"}}},
                "errors": errors,
                "pacing": {"retry_after": retry_after},
            }
        )
        client = HttpClient(
            "Acme",
            lambda: wire.url,
            error_table(description),
            settings=HttpSettings(attempts=3, throttled_attempts=3),
            timing=Timing(fake_time.clock, fake_time.sleep, fake_time.chance),
        )
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.close()


def refusal(client: HttpClient, call: Call = READ) -> CallRefused:
    with pytest.raises(CallRefused) as caught:
        client.send(call)
    return caught.value


# The call.


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        (["code"], {"code": "DUPLICATE"}, "DUPLICATE"),
        (["errno"], {"errno": 107}, "107"),
        (["error.name", "error"], {"error": {"name": "a.b.AccessError"}}, "a.b.AccessError"),
        (["error.name", "error"], {"error": "no-such-thing"}, "no-such-thing"),
        (["errors[0].code"], {"errors": [{"code": "E1"}, {"code": "E2"}]}, "E1"),
        (["first", "second"], {"first": None, "second": "E2"}, "E2"),
        (["code"], {"code": "Zhang San, 13800000000"}, ""),
        (["code"], {"code": "Mueller wants more"}, ""),
        (["code"], {"code": "13800000000"}, ""),
        (["code"], {"code": 13800000000}, ""),
        (["code"], {"code": True}, ""),
        (["code"], {"code": {"deep": 1}}, ""),
        (["code"], {"other": 1}, ""),
        (["code"], [1], ""),
        (["code"], b"<html>code</html>", ""),
        (["code"], b"", ""),
        (["code"], b"\xff\xfe", ""),
        (["code"], b"[" * 100_000, ""),
        (["code"], b'{"code": "E1", "x": "' + b"x" * 1_100_000 + b'"}', ""),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_refused_call_tells_its_code_and_nothing_else(
    path: list[str], body: Any, code: str, wire: Any, client_of: Any
) -> None:
    wire.say(400, body)
    refused = refusal(client_of(code=path))
    assert (refused.status, refused.code) == (400, code)
    assert refused.message == f"Acme refused a call ({f'400 {code}'.strip()}, GET /things)"


def test_a_code_may_stand_in_a_header(wire: Any, client_of: Any) -> None:
    client = client_of(code_header="X-Status-Reason", code=["code"])
    wire.say(409, b"", headers={"X-Status-Reason": "Duplicate"})
    assert refusal(client).code == "Duplicate"
    wire.say(409, {"code": "E1"}, headers={"X-Status-Reason": "Zhang San has it already"})
    assert refusal(client).code == "E1"


def test_a_code_that_the_description_names_is_told_whatever_it_looks_like(
    wire: Any, client_of: Any
) -> None:
    client = client_of(code=["why"], codes={"Record is locked: later!": "parked"})
    wire.say(400, {"why": "Record is locked: later!"})
    assert refusal(client).code == "Record is locked: later!"


@pytest.mark.parametrize(
    ("word", "error"),
    [
        ("renew", AuthenticationError),
        ("authentication", AuthenticationError),
        ("refused", CallRefused),
        ("gone", CallRefused),
        ("conflict", CallRefused),
        ("parked", CallRefused),
        ("wait", QuotaError),
        ("unavailable", UnavailableError),
    ],
)
@pytest.mark.parametrize("by", ["code", "status"])
def test_a_description_says_what_to_do(
    word: str, error: type[HighseasError], by: str, wire: Any, client_of: Any
) -> None:
    """Codes go before statuses."""
    named: dict[str, Any] = {"statuses": {418: word}}
    if by == "code":
        named = {"codes": {"7": word}, "statuses": {418: "refused"}}
    wire.always(418, {"code": 7})
    client = client_of(code=["code"], **named)
    with pytest.raises(HighseasError) as caught:
        client.send(READ)
    assert type(caught.value) is error
    with pytest.raises(HighseasError) as caught:
        client.send(WRITE)
    assert type(caught.value) is (AmbiguousWrite if word == "unavailable" else error)


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, AuthenticationError), (403, CallRefused), (404, CallRefused), (429, QuotaError)],
)
def test_what_is_not_named_follows_http(
    status: int, error: type[HighseasError], wire: Any, client_of: Any
) -> None:
    wire.always(status, b"<html>")
    for call in (READ, WRITE):
        with pytest.raises(error):
            client_of().send(call)


@pytest.mark.parametrize("status", [408, 500, 503])
def test_a_server_error_is_asked_again_or_in_doubt(
    status: int, wire: Any, client_of: Any, fake_time: Any
) -> None:
    wire.say(status, b"<html>", headers={"Retry-After": "9"}).say(200, {})
    client_of().send(READ)
    assert fake_time.sleeps == [9.0]
    wire.say(status, b"<html>")
    with pytest.raises(AmbiguousWrite):
        client_of().send(WRITE)
    assert len(wire.seen) == 3


@pytest.mark.parametrize(
    ("asked", "waited"),
    [(7, 7.0), ("7.5", 7.5), (10**9, 2.0), (-1, 2.0), (None, 2.0), ("soon", 2.0), ([], 2.0)],
)
def test_a_body_may_say_how_long_to_wait(
    asked: Any, waited: float, wire: Any, client_of: Any, fake_time: Any
) -> None:
    wire.say(429, {"error": {"wait": asked}}).say(200, {})
    client_of("error.wait").send(WRITE)
    assert fake_time.sleeps == [waited]


# Envelopes.


@pytest.mark.parametrize(
    ("envelope", "status", "body"),
    [
        (RPC, 200, {"result": []}),
        (RPC, 200, {}),
        (RPC, 200, [1, 2]),
        (RPC, 200, b"\xef\xbb\xbf" + b'{"result": 1}'),
        (RPC | {"ok": [None]}, 200, {"error": None, "result": 1}),
        (FLAG, 200, {"head": {"ok": True}}),
        (FLAG, 400, {"head": {"ok": True}}),
        ({"path": "code", "ok": [0, "0"]}, 200, {"code": "0"}),
        ({"path": "", "ok": ["fine"]}, 200, b'"fine"'),
        ({"path": "[0]", "ok": [1]}, 200, [1]),
        (FLAG, 204, b""),
    ],
)
@pytest.mark.parametrize("call", [READ, WRITE])
def test_an_envelope_that_says_yes(
    call: Call, envelope: dict[str, Any], status: int, body: Any, wire: Any, client_of: Any
) -> None:
    wire.say(status, body)
    assert client_of(envelope=envelope).send(call).status == status


@pytest.mark.parametrize(
    ("envelope", "status", "body"),
    [
        (RPC, 200, {"error": {"code": "E1"}, "result": []}),
        (RPC, 200, {"error": None, "code": "E1"}),
        (RPC, 200, {"error": "", "code": "E1"}),
        (RPC, 400, {"code": "E1"}),
        (RPC | {"ok": [None]}, 404, {"error": None, "code": "E1"}),
        (FLAG, 200, {"head": {"ok": 1}, "code": "E1"}),
        (FLAG, 200, {"head": {"ok": False}, "code": "E1"}),
        (
            FLAG,
            200,
            {"head": {"ok": True}, "code": "E1", "head\u0000": 1, "x": 1}
            | {"head": {"ok": "true"}},
        ),
        (FLAG, 400, {"code": "E1"}),
        ({"path": "code", "ok": [0]}, 200, {"code": False, "error": {"code": "E1"}}),
    ],
)
@pytest.mark.parametrize("call", [READ, WRITE])
def test_an_envelope_that_says_no(
    call: Call, envelope: dict[str, Any], status: int, body: Any, wire: Any, client_of: Any
) -> None:
    """Whatever HTTP says. Status 0 keeps a refusal from being taken for success."""
    wire.say(status, body)
    refused = refusal(client_of(envelope=envelope, code=["error.code", "code"]), call)
    assert (refused.status, refused.code) == (
        0 if status == 200 else status,
        "E1",
    )


@pytest.mark.parametrize("body", [b"<html>", b"", b"[", b"null"])
def test_an_error_without_an_envelope_is_still_one(body: bytes, wire: Any, client_of: Any) -> None:
    wire.always(404, body)
    for envelope in (RPC, FLAG):
        assert refusal(client_of(envelope=envelope), WRITE).status == 404


@pytest.mark.parametrize(
    ("word", "error"), [("wait", QuotaError), ("unavailable", UnavailableError)]
)
def test_the_code_in_an_envelope_decides(
    word: str, error: type[HighseasError], wire: Any, client_of: Any
) -> None:
    wire.always(200, {"error": {"code": "BUSY"}})
    with pytest.raises(error):
        client_of(envelope=RPC, code=["error.code"], codes={"BUSY": word}).send(READ)


def test_a_server_error_is_one_whatever_its_body_says(wire: Any, client_of: Any) -> None:
    wire.always(500, {"head": {"ok": True}})
    with pytest.raises(AmbiguousWrite):
        client_of(envelope=FLAG).send(WRITE)


# What cannot be read.

UNREADABLE = [
    b"<!doctype html><title>Sign in</title>",
    b"\xef\xbb\xbf<html>",
    b'{"id": 5}<br />Fatal error',
    b'{"id": 5',
    b"Error: stale data",
    b'{"name": "\xff"}',
    b'{"n": 1e400}',
    b"\xff\xfe{\x00}\x00",
    b"[" * 100_000 + b"]" * 100_000,
    b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1),
    b"NaN",
]


@pytest.mark.parametrize("body", UNREADABLE, ids=lambda body: repr(body[:20]))
@pytest.mark.parametrize("envelope", [None, RPC, {"path": "[0]", "ok": [1]}], ids=str)
def test_a_write_whose_good_answer_cannot_be_read_is_in_doubt(
    body: bytes, envelope: Any, wire: Any, client_of: Any
) -> None:
    wire.say(200, body)
    with pytest.raises(AmbiguousWrite) as caught:
        client_of(envelope=envelope).send(WRITE)
    assert caught.value.code == "200 unreadable"
    assert len(wire.seen) == 1


@pytest.mark.parametrize("body", [b"", b" \n", b"OK", b"ok.", b'"OK"', b"true", b"{}", b"17"])
def test_a_write_may_be_answered_with_next_to_nothing(
    body: bytes, wire: Any, client_of: Any
) -> None:
    wire.say(200, body)
    assert client_of().send(WRITE).status == 200


@pytest.mark.parametrize("body", [b"<html>", b"[1", b'"yes"', b"{}", b'{"head": 1}', b""])
def test_an_answer_without_its_envelope_is_neither_yes_nor_no(
    body: bytes, wire: Any, client_of: Any
) -> None:
    wire.always(200, body)
    client = client_of(envelope=FLAG)
    with pytest.raises(AmbiguousWrite):
        client.send(WRITE)
    with pytest.raises(ProtocolError, match="cannot be read") as caught:
        client.send(READ)
    assert not isinstance(caught.value, CallRefused)


@pytest.mark.parametrize("body", UNREADABLE, ids=lambda body: repr(body[:20]))
def test_a_body_that_is_no_json_is_said_without_any_part_of_it(body: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        decoded(Answer(200, {}, body), "GET /things")
    told = caught.value.message + caught.value.hint
    assert "(200, GET /things)" in told
    assert "Sign" not in told
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_json_is_read_exactly() -> None:
    def read(body: bytes) -> Any:
        return decoded(Answer(200, {}, body), "GET /things")

    assert read(b"") is None
    assert read(b"\xef\xbb\xbf \n") is None
    assert read(b'\xef\xbb\xbf{"a": 1}\n') == {"a": 1}
    assert read(b'{"a": 1, "a": 2}') == {"a": 2}
    for number in (2**53 + 1, 2**64 + 1, -(2**63) - 1, 10**40):
        assert read(str(number).encode()) == number
    assert read('"\\u5ba2\u6237"'.encode()) == "客户"


@pytest.mark.parametrize("opening", ["[", '{"a":', '[[],{"a":'])
def test_nesting_is_read_to_its_limit(opening: str) -> None:
    """The limit counts lists and objects, whatever brackets texts hold."""
    closing = "]" if opening == "[" else "}]" if "[" in opening else "}"
    each = len(closing)

    def nested(levels: int) -> Answer:
        times = levels // each
        return Answer(200, {}, (opening * times + '"[[[{{{"' + closing * times).encode())

    decoded(nested(DEEPEST), "here")
    with pytest.raises(Unreadable, match="too deeply"):
        decoded(nested(DEEPEST + each), "here")


@given(st.binary(max_size=200))
def test_no_body_makes_anything_but_a_value_or_an_error_of_ours(body: bytes) -> None:
    try:
        decoded(Answer(200, {}, body), "here")
    except Unreadable:
        return


# One record.


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (0, "refused"),
        (200, "done"),
        (201, "done"),
        (302, "unknown"),
        (304, "unknown"),
        (400, "refused"),
        (401, "refused"),
        (403, "refused"),
        (404, "gone"),
        (408, "unknown"),
        (409, "conflict"),
        (410, "gone"),
        (412, "conflict"),
        (423, "parked"),
        (428, "conflict"),
        (429, "parked"),
        (500, "unknown"),
        (503, "unknown"),
        (99, "unknown"),
        (700, "unknown"),
    ],
)
def test_what_a_status_means_for_a_record(status: int, word: str) -> None:
    assert meaning(Errors(), status, "") == word


@pytest.mark.parametrize("word", get_args(Meaning))
def test_what_a_described_word_means_for_a_record(word: Any) -> None:
    expected = {"wait": "parked", "unavailable": "unknown", "renew": "refused"}
    expected["authentication"] = "refused"
    by_code = Errors(codes={"E1": word}, statuses={500: "refused"})
    by_status = Errors(statuses={500: word})
    assert meaning(by_code, 500, "E1") == expected.get(word, word)
    assert meaning(by_code, 500, "E2") == "refused"
    assert meaning(by_status, 500, "E1") == expected.get(word, word)


@given(st.integers(0, 1000), st.text(max_size=20))
def test_only_a_good_status_is_ever_done(status: int, code: str) -> None:
    found = meaning(Errors(), status, code)
    assert found in get_args(RowMeaning)
    assert (found == "done") == (200 <= status < 300)


def test_the_code_of_a_row() -> None:
    errors = Errors(code=("code", "error.code"), codes={"two words": "gone"})
    assert code_of(errors, {"error": {"code": 5}}) == "5"
    assert code_of(errors, {"code": "two words"}) == "two words"
    assert code_of(errors, None) == ""
    assert shown_code(errors, 1.5) == ""


# What only a text tells.

TEXTS = {"login (needed|required)": "authentication", "try later": "wait", "no such": "gone"}


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize(
    ("text", "error"),
    [("LOGIN Needed, Ms Example", AuthenticationError), ("Try later", QuotaError)],
)
def test_a_text_says_what_to_do_whatever_the_status(
    status: int, text: str, error: type[HighseasError], wire: Any, client_of: Any
) -> None:
    wire.always(status, {"ok": False, "error": f"<p>{text}</p>"})
    client = client_of(texts=TEXTS, envelope={"path": "ok", "ok": [True]})
    with pytest.raises(error) as caught:
        client.send(READ)
    assert "Example" not in caught.value.message + caught.value.hint


def test_a_text_makes_a_doubt_a_refusal(wire: Any, client_of: Any) -> None:
    wire.always(500, b"<html>There is NO SUCH record: Zhang San</html>")
    with pytest.raises(CallRefused) as caught:
        client_of(texts=TEXTS).send(WRITE)
    assert (caught.value.status, caught.value.code) == (500, "SAID_GONE")
    assert "Zhang" not in str(caught.value)
    assert meaning(Errors.model_validate({"texts": TEXTS}), 500, "SAID_GONE") == "gone"
    with pytest.raises(AmbiguousWrite):
        client_of().send(WRITE)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"code": "E1", "message": "no such record"}, "E1"),
        ({"code": "E2", "message": "no such record"}, "SAID_GONE"),
        ({"code": "E2", "message": "no record"}, "E2"),
        (b" " * 65_529 + b"no such", "SAID_GONE"),
        (b" " * 65_530 + b"no such", ""),
        (b"\xff\xfe no such", "SAID_GONE"),
    ],
    ids=lambda value: repr(value)[-30:],
)
def test_a_code_that_is_named_goes_before_texts(
    body: Any, code: str, wire: Any, client_of: Any
) -> None:
    wire.say(400, body)
    client = client_of(code=["code"], codes={"E1": "refused"}, texts=TEXTS)
    assert refusal(client).code == code


def test_a_server_that_calls_a_code_so_by_itself_means_nothing_by_it() -> None:
    assert meaning(Errors(), 400, "SAID_GONE") == "refused"
