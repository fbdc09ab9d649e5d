"""Templates of a description: types kept, nothing missing unnoticed, no value in errors."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from adapters.rest.templates import check, names_in, render, render_text
from connector.errors import ConfigurationError

SINCE = datetime(2026, 11, 22, 9, 5, 1, 250_000, tzinfo=UTC)


def test_a_template_alone_keeps_the_type() -> None:
    names = {"fields": {"a": None, "b": [1, 2]}, "limit": 200, "last": None}
    given = {"data": "{{ fields }}", "n": "{{ limit }}", "of": ["{{ last }}", 7, True, None]}
    assert render(given, names) == {
        "data": {"a": None, "b": [1, 2]},
        "n": 200,
        "of": [None, 7, True, None],
    }


def test_text_around_it_makes_a_text() -> None:
    assert render("records={{ start }}-{{ stop }}", {"start": 0, "stop": 200}) == "records=0-200"
    assert render_text("{{ yes }}", {"yes": True}) == "true"
    assert render_text("{{ nothing }}", {"nothing": None}) == ""


@pytest.mark.parametrize(
    ("template", "written"),
    [
        ("{{ since | iso }}", "2026-11-22T09:05:01+00:00"),
        ("{{ since | iso('%Y-%m-%d %H:%M:%S') }}", "2026-11-22 09:05:01"),
        ("{{ since | local('Asia/Shanghai') }}", "2026-11-22T17:05:01"),
        ("{{ since | epoch }}", 1795338301),
        ("{{ since | epoch_ms }}", 1795338301250),
        ("{{ [['id', '>', 5]] | json }}", '[["id",">",5]]'),
        ("{{ 'x?>' | base64url }}", "eD8-"),
        ("{{ '[1]' | from_json }}", [1]),
        ("{{ 'a<b\nc' | html }}", "a&lt;b<br>c"),
        ("{{ since | http_date }}", "Sun, 22 Nov 2026 09:05:01 GMT"),
        ("{{ '2026-11-22T17:05:01.9+08:00' | http_date }}", "Sun, 22 Nov 2026 09:05:01 GMT"),
        ("{{ '2026-11-22 09:05:01' | http_date }}", "Sun, 22 Nov 2026 09:05:01 GMT"),
        (
            "{{ {'a': 1, 'b': [2, 3], 'c': []} | named }}",
            [{"name": "a", "value": 1}, {"name": "b", "value": 2}, {"name": "b", "value": 3}],
        ),
        ("{{ {'a': none} | named('key', 'is') }}", [{"key": "a", "is": None}]),
        ("{{ {'values': 1, 'items': 2}.values }}", 1),
        ("{{ {'a': 1}.values() | list }}", [1]),
        ("{{ '<p>a&lt;b<br/>c</p><p>d</p>' | plain }}", "a<b\nc\nd"),
    ],
)
def test_filters(template: str, written: object) -> None:
    assert render(template, {"since": SINCE}) == written


@pytest.mark.parametrize(
    "template", ["{{ answer.user.id }}", "{{ other }}", "x{{ other }}", "{{ answer['a']['b'] }}"]
)
def test_what_is_missing_is_an_error_and_not_an_empty_text(template: str) -> None:
    with pytest.raises(ConfigurationError, match="is not there"):
        render(template, {"answer": {"name": "secret-value"}})


@pytest.mark.parametrize(
    "template",
    [
        "{{ secret | iso }}",
        "{{ secret.upper.__globals__ }}",
        "{{ secret | from_json }}",
        "{{ secret | http_date }}",
        "{{ 5 | http_date }}",
        "{{ secret | named }}",
        "{{ secret | local('Nowhere/Else') }}",
        "{{ 1 / 0 }}",
    ],
)
def test_errors_hold_nothing_of_the_values(template: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        render(template, {"secret": "hunter2"})
    assert "hunter2" not in caught.value.message + caught.value.hint


def test_python_is_out_of_reach() -> None:
    for template in ("{{ ''.__class__.__mro__ }}", "{{ range(9) }}", "{{ lipsum() }}"):
        with pytest.raises(ConfigurationError):
            render(template, {})


def test_a_broken_template_is_told_when_it_is_read() -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        check("{{ a }")
    assert check("{{ a }}") == "{{ a }}"


def test_names_that_a_template_asks_for() -> None:
    assert names_in("{{ a.b }} {% for x in c %}{{ x }}{% endfor %}") == {"a", "c"}
