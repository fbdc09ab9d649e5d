"""From the text of a condition to sqlglot's tree, with an offset for each node.

Full-width characters and curly quotes are named here, and sqlglot's messages put into plain words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlglot import Dialect, exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

MAX_LENGTH = 4_000

_DIALECT = Dialect.get_or_raise("duckdb")
# Full-width forms of ASCII stand at a fixed distance; these others are typed for them too.
_LOOKALIKES = {
    "\u3000": " ",  # ideographic space
    "、": ",",
    "。": ".",
    "\u300c": "'",  # corner brackets
    "\u300d": "'",
    "\u2265": ">=",
    "\u2264": "<=",
    "\u2260": "<>",
    "\u00d7": "*",
    "\u00f7": "/",
}
_SIGNS = "\u2265\u2264\u2260\u00d7\u00f7"
_FULL_WIDTH_SHIFT = 0xFEE0
_ELSE = re.compile(r",(\s*)(else\s*:)", re.IGNORECASE)
_QUOTES = "“”‘’"
_SWAPPED = {"=>": ">=", "=<": "<=", "><": "<>"}


@dataclass(frozen=True, slots=True)
class Complaint:
    """Something wrong at a character of the text."""

    offset: int
    message: str
    suggestion: str = ""


@dataclass
class Parsed:
    """sqlglot's tree with the offsets of its nodes, or what is wrong with the text."""

    tree: exp.Expr | None
    complaints: list[Complaint]
    named_else: frozenset[int] = frozenset()
    offsets: dict[int, int] = field(default_factory=dict)

    def offset(self, node: exp.Expr) -> int:
        """Where the node begins: sqlglot marks only some, so the first one below or above."""
        place: exp.Expr | None = node
        while place is not None:
            offset = min(self._own(item) for item in place.walk())
            if offset < MAX_LENGTH:
                return offset
            place = place.parent
        return 0

    def _own(self, node: exp.Expr) -> int:
        if id(node) in self.offsets:
            return self.offsets[id(node)]
        start = node.meta.get("start")
        return start if isinstance(start, int) else MAX_LENGTH


def parse(text: str) -> Parsed:
    """Parse one condition. Never raises."""
    complaints = [*_unusual_characters(text)]
    if len(text) > MAX_LENGTH:
        complaints = [Complaint(0, f"the condition is longer than {MAX_LENGTH:,} characters")]
    if not text.strip():
        complaints = [Complaint(0, "the condition is empty")]
    if complaints:
        return Parsed(None, complaints)
    blanked, named = _without_else(text)
    try:
        tokens = _DIALECT.tokenize(blanked)
    except SqlglotError:
        return Parsed(None, [_unclosed(text)])
    complaints = [*_foreign_tokens(tokens)]
    if complaints:
        return Parsed(None, complaints)
    return _tree(blanked, tokens, named)


def names_in(text: str) -> set[str]:
    """The plain names that a text mentions: what it may need of `define:`."""
    parsed = parse(text)
    if parsed.tree is None:
        return set()
    return {column.name for column in parsed.tree.find_all(exp.Column)}


def _tree(text: str, tokens: list[Token], named: frozenset[int]) -> Parsed:
    parser = _DIALECT.parser()
    try:
        trees = parser.parse_into(exp.Condition, tokens, text)
    except SqlglotError as error:
        return Parsed(None, [_reworded(text, error)])
    except Exception:  # noqa: BLE001 - a parser of a whole SQL dialect, fed with any text
        return Parsed(None, [Complaint(0, "this condition cannot be read")])
    tree = trees[0] if trees else None
    if not isinstance(tree, exp.Expr):
        return Parsed(None, [Complaint(0, "this condition cannot be read")])
    starts = iter(token.start for token in tokens if token.token_type is TokenType.PARAMETER)
    offsets = {
        id(node): next(starts, 0) for node in tree.dfs() if isinstance(node, exp.Placeholder)
    }
    return Parsed(tree, [], named, offsets)


def _outside_text(text: str) -> Iterator[tuple[int, str]]:
    """The characters that stand in no 'text'."""
    inside = False
    for place, character in enumerate(text):
        if character == "'":
            inside = not inside
        elif not inside:
            yield place, character


def _unusual_characters(text: str) -> Iterator[Complaint]:
    for place, character in _outside_text(text):
        if character in _QUOTES:
            fix = "put text in straight single quotes: 'A'"
            yield Complaint(place, f"curly quote {character}", fix)
        elif character in _SIGNS:
            yield Complaint(place, f"the sign {character}", f"write {_LOOKALIKES[character]!r}")
        elif character in _LOOKALIKES:
            shown = "space" if character.isspace() else character
            yield Complaint(place, f"full-width {shown}", f"write {_LOOKALIKES[character]!r}")
        elif "\uff01" <= character <= "\uff5e":
            plain = chr(ord(character) - _FULL_WIDTH_SHIFT)
            yield Complaint(place, f"full-width {character}", f"write {plain!r}")


def _without_else(text: str) -> tuple[str, frozenset[int]]:
    """Blank out the words `else:`, which are no SQL; the offsets of what follows stay."""
    outside = {place for place, _ in _outside_text(text)}
    named: set[int] = set()
    blanked = text
    for match in _ELSE.finditer(text):
        if match.start() in outside:
            start, end = match.span(2)
            blanked = blanked[:start] + " " * (end - start) + blanked[end:]
            named.add(match.start())
    return blanked, frozenset(named)


def _unclosed(text: str) -> Complaint:
    if text.count("'") % 2:
        return Complaint(text.rfind("'"), "this text has no closing quote", "add '")
    if text.count('"') % 2:
        message = "this double quote has no partner"
        return Complaint(text.rfind('"'), message, "text stands in single quotes: 'A'")
    return Complaint(0, "this condition cannot be read")


def _foreign_tokens(tokens: list[Token]) -> Iterator[Complaint]:
    for token in tokens:
        if token.comments:
            message = "comments are not allowed inside a condition"
            yield Complaint(token.start, message, "use a YAML comment: # ...")
        elif token.token_type is TokenType.SEMICOLON:
            yield Complaint(token.start, "one condition only: ';' is not allowed")
        elif token.token_type is TokenType.DAMP:
            yield Complaint(token.start, "'&&' is not an operator here", "write AND")


def _reworded(text: str, error: SqlglotError) -> Complaint:
    details = getattr(error, "errors", None) or [{}]
    detail = details[0]
    highlight = str(detail.get("highlight") or "")
    start = len(str(detail.get("start_context") or ""))
    offset = start if text[start : start + len(highlight)] == highlight else text.find(highlight)
    offset = max(offset, 0)
    description = str(detail.get("description") or "")
    if description.startswith("Required keyword"):
        return Complaint(offset, f"something is missing after or before '{highlight}'")
    if text.count("(") > text.count(")"):
        return Complaint(offset, "a bracket is not closed", "add ')'")
    if text.count("(") < text.count(")"):
        return Complaint(offset, "a closing bracket has no partner", "remove one ')'")
    swapped = next((wrong for wrong in _SWAPPED if wrong in text), "")
    hint = f"write {_SWAPPED[swapped]} instead of {swapped}" if swapped else ""
    return Complaint(offset, f"unexpected '{highlight}'", hint)
