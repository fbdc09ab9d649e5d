"""The templates of a description: Jinja in a sandbox, over named values, where a missing name is an
error and never an empty text."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Annotated, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import jinja2
import jinja2.meta
import msgspec
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import AfterValidator

from connector.errors import ConfigurationError

_ALONE = re.compile(r"\s*\{\{(?P<expression>(?:(?!\{\{|\}\}|\{%).)*)\}\}\s*", re.DOTALL)


def _moment(value: object) -> datetime:
    if not isinstance(value, datetime):
        raise TypeError("is not a moment")
    return value


def _iso(value: object, pattern: str = "%Y-%m-%dT%H:%M:%S+00:00") -> str:
    """The moment in UTC, by a `strftime` pattern."""
    return _moment(value).astimezone(UTC).strftime(pattern)


def _local(value: object, zone: str, pattern: str = "%Y-%m-%dT%H:%M:%S") -> str:
    """The moment on the clocks of a zone, by a `strftime` pattern."""
    return _moment(value).astimezone(ZoneInfo(zone)).strftime(pattern)


def _epoch(value: object) -> int:
    """Whole seconds since 1970."""
    return int(_moment(value).timestamp())


def _epoch_ms(value: object) -> int:
    """Whole milliseconds since 1970."""
    return int(_moment(value).timestamp() * 1000)


def _http_date(value: object) -> str:
    """The moment, or a text that is one in ISO form (in UTC unless it says otherwise), as HTTP
    writes it: `Sun, 22 Nov 2026 08:00:00 GMT`."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else _moment(value)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def _named(value: object, name: str = "name", content: str = "value") -> list[dict[str, Any]]:
    """An object as a list of names and values; a list in it is a name that comes several times."""
    if not isinstance(value, Mapping):
        raise TypeError("is no object")
    several = ((key, each if isinstance(each, list) else [each]) for key, each in value.items())
    return [{name: key, content: one} for key, each in several for one in each]


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _from_json(value: object) -> Any:
    return json.loads(str(value))


def _base64url(value: object) -> str:
    return base64.urlsafe_b64encode(str(value).encode()).decode()


def _segment(value: object) -> str:
    """As one part of a path, where the whole is no path of ours but a text that holds one."""
    return quote(str(value), safe="")


def _html(value: object) -> str:
    """Plain text as HTML that shows the same."""
    return html.escape(str(value), quote=False).replace("\n", "<br>")


def _plain(value: object) -> str:
    """HTML as the plain text that it shows."""
    text = re.sub(r"<br\s*/?>|</p>\s*<p[^>]*>", "\n", str(value or ""))
    return html.unescape(re.sub(r"<[^>]*>", "", text))


class _Sandbox(ImmutableSandboxedEnvironment):
    """In `record.values` the key goes before the method of that name."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


def _environment() -> ImmutableSandboxedEnvironment:
    environment = _Sandbox(
        undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=True
    )
    environment.filters |= {
        "iso": _iso,
        "local": _local,
        "epoch": _epoch,
        "epoch_ms": _epoch_ms,
        "http_date": _http_date,
        "named": _named,
        "json": _json,
        "from_json": _from_json,
        "base64url": _base64url,
        "segment": _segment,
        "html": _html,
        "plain": _plain,
    }
    environment.globals.clear()
    return environment


_ENVIRONMENT = _environment()


def check(text: str) -> str:
    """The text itself; ValueError when it is no template."""
    try:
        _ENVIRONMENT.from_string(text)
    except jinja2.TemplateSyntaxError as error:
        raise ValueError(f"this template cannot be read: {error.message}") from None
    return text


Template = Annotated[str, AfterValidator(check)]
"""Text with `{{ name }}` in it. Standing alone, it keeps the value's type."""


def templates_in(value: object) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The texts of a structure, each with its path; keys of a mapping are no templates."""
    if isinstance(value, str):
        yield (), value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from (((key, *path), text) for path, text in templates_in(item))
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from (((number, *path), text) for path, text in templates_in(item))


@lru_cache(maxsize=2048)
def names_in(text: str) -> frozenset[str]:
    """The names that a template asks for from outside."""
    return frozenset(jinja2.meta.find_undeclared_variables(_ENVIRONMENT.parse(text)))


def render(value: Any, names: Mapping[str, Any]) -> Any:
    """A structure with every template in it filled. Raises ConfigurationError that names the
    template's trouble, never a value."""
    if isinstance(value, str):
        return _filled(value, names)
    if isinstance(value, Mapping):
        return {key: render(item, names) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [render(item, names) for item in value]
    return value


def render_text(value: str, names: Mapping[str, Any]) -> str:
    """As `render`, for one text that has to stay one."""
    filled = _filled(value, names)
    if isinstance(filled, bool):
        return "true" if filled else "false"
    return "" if filled is None else str(filled)


@lru_cache(maxsize=2048)
def _compiled(text: str) -> Any:
    alone = _ALONE.fullmatch(text)
    if alone:
        return _ENVIRONMENT.compile_expression(alone["expression"], undefined_to_none=False)
    return _ENVIRONMENT.from_string(text).render


def _filled(text: str, names: Mapping[str, Any]) -> Any:
    if "{" not in text:
        return text
    try:
        value = _compiled(text)(**names)
        if isinstance(value, jinja2.Undefined):
            value._fail_with_undefined_error()  # noqa: SLF001 - Jinja's own way to say which name
    except jinja2.UndefinedError as error:
        raise ConfigurationError(
            f"the CRM's description asks for something that is not there: {error.message}",
            "correct the template, or give it a default: {{ name | default('') }}",
        ) from None
    except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError) as error:
        raise ConfigurationError(
            f"a template of the CRM's description cannot be filled ({type(error).__name__})",
            "run `highseas check`: it tries each part of the description",
        ) from None
    return value
