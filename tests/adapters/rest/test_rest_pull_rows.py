"""What a row looks like when it leaves the pull, and what becomes of hostile answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connector.errors import ProtocolError, RemoteError
from connector.row_shape import RowShape
from tests.adapters.conftest import Wire
from tests.adapters.rest.listed_crm import Described, described

TRYTON: dict[str, Any] = {
    "tagged": {
        "key": "__class__",
        "forms": {
            "Decimal": "{{ value.decimal }}",
            "date": "{{ '%04d-%02d-%02d' | format(value.year, value.month, value.day) }}",
        },
    }
}


def one_page(wire: Wire, values: dict[str, Any] | None = None, **form: Any) -> Described:
    api = described(wire, "none", form, rows="rows")
    api.more = {"values": values} if values else {}
    return api


def rows_of(wire: Wire, text: bytes, values: dict[str, Any] | None = None) -> list[bytes]:
    wire.say(200, b'{"rows": [' + text + b"]}")
    [page] = one_page(wire, values).pages()
    return list(page.rows)


def test_row_stays_the_bytes_that_it_came_as(wire: Wire) -> None:
    text = b'{ "id" : 9007199254740993, "x": 1000.50,\n "n": "\\u5ba2", "big": 1e400 }'
    assert rows_of(wire, text) == [text]


@pytest.mark.parametrize(
    ("written", "known"),
    [
        (b"12", "12"),
        (b'"12"', "12"),
        (b'"a b"', "a b"),
        (b"9007199254740993", "9007199254740993"),
        (b"123456789012345678901234567890", "123456789012345678901234567890"),
        (b"-4", "-4"),
    ],
)
@pytest.mark.parametrize("values", [None, {"pairs": True}])
def test_id_of_a_deletion_is_the_id_that_is_staged(
    wire: Wire, written: bytes, known: str, values: Any
) -> None:
    wire.say(200, b'{"rows": [{"id": 1}, {"id": %b, "gone": true}]}' % written)
    changes = {"tombstone": {"path": "gone"}}
    [page] = one_page(wire, values, modified="modified", changes=changes).pages()
    assert page.deleted == (known,)
    assert RowShape("customers", "id", ["id"]).check(b'{"id": %b}' % written) is None


@pytest.mark.parametrize("odd", [b"1.0", b"true", b"null", b'""', b"{}", b"[]", b"1" * 5000])
@pytest.mark.parametrize("values", [None, {"pairs": True}])
def test_row_without_a_good_id_goes_on_and_is_rejected(
    wire: Wire, odd: bytes, values: dict[str, Any] | None
) -> None:
    rows = rows_of(wire, b'{"id": 1}, {"id": %b}' % odd, values)
    assert len(rows) == 2
    assert RowShape("customers", "id", ["id"]).check(rows[1]) is not None


@pytest.mark.parametrize("odd", [b"5", b'"text"', b"[1, 2]", b"null", b"true"])
@pytest.mark.parametrize("values", [None, {"pairs": True}])
def test_row_that_is_no_object_goes_on_and_is_rejected(
    wire: Wire, odd: bytes, values: dict[str, Any] | None
) -> None:
    rows = rows_of(wire, b'{"id": 1}, ' + odd, values)
    assert len(rows) == 2
    assert RowShape("customers", "id", ["id"]).check(rows[1]) is not None


@pytest.mark.parametrize(
    "odd", [b'{"id": 2, "name": "\xff"}', b'{"id": "\xff", "name": "x"}', b'{"\xff": 1, "id": 2}']
)
@pytest.mark.parametrize("values", [None, {"pairs": True}])
def test_row_that_is_not_utf8_harms_no_other(
    wire: Wire, odd: bytes, values: dict[str, Any] | None
) -> None:
    rows = rows_of(wire, b'{"id": 1}, ' + odd + b', {"id": 3}', values)
    shape = RowShape("customers", "id", ["id", "name"])
    rejects = [shape.check(row) or shape.check_text(row) for row in rows]
    assert [reject is None for reject in rejects] == [True, False, True]


@pytest.mark.parametrize("values", [None, {"pairs": True}])
def test_half_an_emoji_becomes_a_whole_character(wire: Wire, values: dict[str, Any] | None) -> None:
    """A server cut a name in the middle of a character."""
    names = [b"a\\ud83d", b"\\uDE00b", b"\\ud83d\\ude00", b"\\\\ud83d", b"\\ud83d\\ud83d\\ude00"]
    rows = rows_of(wire, b",".join(b'{"id": 1, "name": "%b"}' % name for name in names), values)
    made = [json.loads(row)["name"] for row in rows]
    assert made == ["a\ufffd", "\ufffdb", "\U0001f600", "\\ud83d", "\ufffd\U0001f600"]


@pytest.mark.parametrize("values", [None, {"pairs": True}])
def test_list_nested_without_end_is_an_error(wire: Wire, values: dict[str, Any] | None) -> None:
    with pytest.raises(ProtocolError, match="JSON"):
        rows_of(wire, b'{"id": 1, "name": ' + b"[" * 3000 + b"]" * 3000 + b"}", values)


def test_decimals_and_dates_become_plain_and_keep_their_digits(wire: Wire) -> None:
    text = (
        b'{"id": 7, "amount": {"__class__": "Decimal", "decimal": "1000.50"}, "n": 1.10, '
        b'"day": {"__class__": "date", "year": 2026, "month": 1, "day": 31}, "active": 1, '
        b'"big": 123456789012345678901, "lines": [{"price": {"__class__": "Decimal", '
        b'"decimal": "0.10"}}], "other": {"__class__": "bytes", "base64": "eA=="}}'
    )
    [row] = rows_of(wire, text, TRYTON)
    assert b'"n":1.10,' in row
    assert b'"big":123456789012345678901,' in row
    plain = json.loads(row)
    assert plain["amount"] == "1000.50"
    assert plain["day"] == "2026-01-31"
    assert plain["lines"] == [{"price": "0.10"}]
    assert plain["other"] == {"__class__": "bytes", "base64": "eA=="}


def test_id_may_stand_in_what_is_made_plain(wire: Wire) -> None:
    text = b'{"values": [{"name": "Key", "value": "k1"}]}, {"values": [{"name": "Key"}]}'
    wire.say(200, b'{"rows": [' + text + b"]}")
    tombstone = {"path": "values.Key", "is": ["k1"]}
    form = {"id": "values.Key", "modified": "m", "changes": {"tombstone": tombstone}}
    [page] = one_page(wire, {"named": {"path": "values"}}, **form).pages()
    assert page.deleted == ("k1",)
    assert page.rows == (b'{"values":{"Key":null}}',)


@pytest.mark.parametrize("status", [200, 203])
@pytest.mark.parametrize(
    "body",
    [
        b"<!doctype html><title>Log in</title>",
        b'{"rows": [{"id": 1}',
        b'{"rows": [{"id": 1},,]}',
        b"",
        b"   ",
        b"[" * 100_000,
        b'{"rows": [{"id": 1}], "total": tru}',
    ],
)
def test_body_that_is_no_json_is_an_error_without_a_word_of_it(
    wire: Wire, body: bytes, status: int
) -> None:
    wire.always(status, body)
    with pytest.raises(ProtocolError) as caught:
        described(wire, "none", rows="rows", total="total").pages()
    assert "Log in" not in f"{caught.value.message}{caught.value.hint}"


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b"5", b'{"rows": {"id": 1}}', b'{"rows": "none"}', b'{"data": []}']
)
def test_answer_without_the_list_names_the_path(wire: Wire, body: bytes) -> None:
    wire.always(200, body)
    with pytest.raises(ProtocolError, match="holds no list at 'rows'") as caught:
        described(wire, "none", rows="rows").pages()
    assert "`rows`" in caught.value.hint


def test_answer_that_should_be_a_list_as_a_whole_is_told_so(wire: Wire) -> None:
    wire.always(200, b'{"error": "no"}')
    with pytest.raises(ProtocolError, match="holds no list as a whole"):
        described(wire, "none", rows="").pages()


@pytest.mark.parametrize("body", [b'{"rows": null}', b'{"rows": []}', b'{"total": 0}'])
def test_list_of_nothing_is_written_in_several_ways(wire: Wire, body: bytes) -> None:
    wire.always(200, body)
    [page] = described(wire, "none", rows="rows", total="total").pages()
    assert page.rows == ()


def test_lists_may_stand_deep_in_the_answer(wire: Wire) -> None:
    wire.always(200, b'\xef\xbb\xbf{"a": [0, {"b": [{"id": 1}], "t": {"n": 1}}]}')
    form = {"rows": "a[1].b", "total": "a[1].t.n", "more": "a[2].x"}
    [page] = described(wire, "none", **form).pages()
    assert page.rows == (b'{"id": 1}',)


def test_body_longer_than_the_limit_is_refused(wire: Wire) -> None:
    wire.always(200, b'{"rows": ["' + b"x" * 2_000_000 + b'"]}')
    api = described(wire, "none", rows="rows")
    api.body_limit = 1_000_000
    with pytest.raises(RemoteError, match="too long"):
        api.pages()
