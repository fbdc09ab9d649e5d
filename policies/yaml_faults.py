"""What PyYAML refuses, in plain words, at the place where the mistake was made."""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from policies.errors import Problem
from policies.signs import wide_sign

# A longer line was written by no hand.
MAX_LINE = 2_000

_UNCLOSED = "this is not readable YAML: a quote has no partner"
_SENTENCES = (
    (
        "mapping values",
        "a second ': ' stands in this value",
        "put the whole value in double quotes; if it begins a key, indent it like its neighbours",
    ),
    (
        "could not find expected ':'",
        "this is not readable YAML: a key has no ': ' behind it",
        "write KEY: VALUE",
    ),
    (
        "expected ',' or ']'",
        "this is not readable YAML: a list lacks ',' or ']'",
        "close the list; inside [...] put a value with a comma in double quotes",
    ),
    (
        "expected ',' or '}'",
        "this is not readable YAML: keys and values lack ',' or '}'",
        "close the bracket; inside {...} put a value with a comma in double quotes",
    ),
    (
        "expected <block end>",
        "this is not readable YAML: this does not fit to the lines above",
        "check its indentation, dashes, brackets and quotes",
    ),
    ("unexpected end of stream", _UNCLOSED, "close it"),
    ("found unexpected document separator", _UNCLOSED, "close it"),
    (
        "that cannot start any token",
        "this character cannot begin a value",
        "put the value in quotes",
    ),
    (
        "expected a single document",
        "this is not readable YAML: a second document begins here",
        "keep one document, without --- and ... in it",
    ),
    (
        "but found '<document start>'",
        "this is not readable YAML: a second document begins here",
        "keep one document, without --- and ... in it",
    ),
    (
        "but found '<scalar>'",
        "this is not readable YAML: text stands behind the end of the values",
        "check the lines above it",
    ),
    (
        "expected the node content",
        "this is not readable YAML: a value is missing here, or stands on its own",
        "",
    ),
    (
        "sequence entries are not allowed",
        "this is not readable YAML: a dash in the wrong place",
        "a list begins on a line of its own",
    ),
    ("unknown escape character", "a backslash stands for nothing here", "use single quotes"),
)


# A key with the colon of a Chinese keyboard, a comment that takes a closing bracket with it, and a
# quoted text with more behind it: PyYAML stumbles over what follows.
_WIDE_KEY = re.compile(r"\s*(?:- )?\w+(：)", re.ASCII)
_COMMENT = re.compile(r"[^#'\"]*[\[{][^#'\"\]}]*\s(#[^\s,\]}]+)[^'\"]*[\]}]")
_BEHIND_QUOTES = re.compile(r"\s*(?:- )?(?:[^\s:]+:\s+)?(?:'[^']*'|\"[^\"]*\")\s*([^\s#:,\]}])")
_WHOLE = "put the whole condition in double quotes, and text in it in single ones"


def fault(text: str, name: str, error: yaml.MarkedYAMLError) -> Problem:
    """One problem for what PyYAML could not read."""
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    near = [*_lines_up_from(text, line)]
    for number, written in near:
        found = _mistaken(written)
        if found is not None:
            place, message, suggestion = found
            return Problem(name, number, place + 1, message, suggestion)
    message, suggestion = _reworded(error)
    suggestion = next(filter(None, (wide_sign(written) for _, written in near)), suggestion)
    return Problem(name, line, column, message, suggestion)


def _lines_up_from(text: str, line: int) -> Iterator[tuple[int, str]]:
    """The line and the one above it, whatever blank lines and comments stand between."""
    lines = list(enumerate(text.splitlines()[:line], start=1))
    said = [item for item in lines if item[1].split("#")[0].strip()]
    yield from (item for item in reversed(said[-2:]) if len(item[1]) <= MAX_LINE)


def _mistaken(line: str) -> tuple[int, str, str] | None:
    """Where a line is wrong, in a way that is known: offset, fact and help."""
    match = _WIDE_KEY.match(line)
    if match:
        return match.start(1), "the sign ： means nothing here", "write ': ' with a space after it"
    match = _COMMENT.match(line)
    if match:
        return match.start(1), "a comment begins here", f'quote it: "{match.group(1)}"'
    match = _BEHIND_QUOTES.match(line)
    return (match.start(1), "text stands behind the closing quote", _WHOLE) if match else None


def _reworded(error: yaml.MarkedYAMLError) -> tuple[str, str]:
    text = error.problem or error.context or "unreadable"
    if "'\\t'" in text:
        return "a tab cannot start a YAML value", "indent with spaces"
    for words, message, suggestion in _SENTENCES:
        if words in text:
            return message, suggestion
    return f"this is not readable YAML: {text}", ""
