"""Parts of a description that contradict themselves are refused; calls are sent as they say."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from adapters.http import HttpClient, Timing
from adapters.rest.api import Api
from adapters.rest.errors import error_table
from adapters.rest.schema.call_description import CallForm, Place
from adapters.rest.schema.description import Description
from adapters.rest.schema.object_description import ObjectForm, Read
from adapters.rest.schema.write_description import NoteRecords
from connector.errors import ConfigurationError, HighseasError, ProtocolError
from tests.adapters.conftest import Wire

LIST = {"path": "/things"}
NOTES = {"model": "records", "create": {"path": "/notes"}}


@pytest.mark.parametrize(
    ("part", "given", "problem"),
    [
        (CallForm, {"json": {}, "form": {}}, "not both"),
        (Place, {}, "a path, or a header"),
        (Place, {"path": "a", "header": "b"}, "a path, or a header"),
        (Place, {"header": "a", "pattern": "("}, "cannot be read"),
        (Place, {"header": "a", "pattern": "a"}, "one group"),
        (Read, {}, "by `many` or by `one`"),
        (Read, {"many": LIST, "one": LIST}, "by `many` or by `one`"),
        (ObjectForm, {"list": LIST, "changes": {}}, "needs 'modified'"),
        (NoteRecords, NOTES, "looked up by `find` and `text`"),
        (NoteRecords, {**NOTES, "find": LIST, "text": "x", "lookup": "lagging"}, "lag_seconds"),
    ],
)
def test_what_contradicts_itself_is_refused(
    part: type[BaseModel], given: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValidationError, match=problem):
        part.model_validate(given)


def described(url: str, **more: Any) -> Description:
    return Description.model_validate(
        {
            "rest": 1,
            "name": "Acme",
            "server": {"url": url},
            "identity": {"call": {"path": "/me"}, "id": "1"},
            "objects": {"things": {"list": LIST}},
            **more,
        }
    )


@pytest.mark.parametrize("name", ["things", "others"])
def test_what_cannot_be_read_cannot_be_written(name: str) -> None:
    with pytest.raises(ValidationError, match=r"no 'read'|no object 'others'"):
        described("http://127.0.0.1:1", writes={name: {}})


@pytest.fixture
def api(wire: Wire) -> Any:
    wire.always(200, b"{}")
    description = described(wire.url)
    client = HttpClient("Acme", lambda: wire.url, error_table(description), timing=Timing())
    yield Api(description, {}, client, lambda: {"token": "t"})
    client.close()


def test_values_are_sent_as_the_server_reads_them(api: Api, wire: Wire) -> None:
    form = CallForm(
        path="/things/{{ id }}",
        method="POST",
        params={"yes": True, "no": "{{ gone }}", "many": "{{ several }}", "none": "{{ empty }}"},
        headers={"X-Number": "{{ number }}", "X-Token": "{{ login.token }}"},
        form={"a": "b c", "n": 7},
    )
    names = {"id": "a/b", "gone": None, "several": [1, "x"], "empty": [], "number": 5}
    api.send(form, api.names(**names))
    (seen,) = wire.seen
    assert (seen.path, seen.form) == ("/things/a%2Fb", {"a": "b c", "n": "7"})
    assert seen.pairs == [("yes", "true"), ("many", "1"), ("many", "x")]
    assert (seen.headers["X-Number"], seen.headers["X-Token"]) == ("5", "t")


@pytest.mark.parametrize("id", [".", ".."])
def test_an_id_that_leads_elsewhere_is_an_error(id: str, api: Api) -> None:  # noqa: A002
    with pytest.raises(ProtocolError, match="cannot stand in an address"):
        api.call(CallForm(path="/things/{{ link_id }}"), api.names(link_id=id))


def test_a_line_break_makes_no_second_header(api: Api) -> None:
    form = CallForm(path="/", headers={"X-A": "{{ id }}"})
    with pytest.raises(ConfigurationError, match="line break"):
        api.call(form, api.names(id="a\r\nX-B: c"))


@pytest.mark.parametrize("link", ["http://[broken/next", "http://evil.example/next"])
def test_a_link_that_leads_elsewhere_is_not_followed(link: str, api: Api) -> None:
    call = api.call(CallForm(path="/things"), api.names())
    with pytest.raises(HighseasError, match=r"no address|another server"):
        api.following(call, link)
