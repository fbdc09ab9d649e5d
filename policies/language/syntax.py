"""From the text of a condition to sqlglot's tree, with an offset for each node.

Full-width characters and curly quotes are named here, and sqlglot's messages put into plain words.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from itertools import zip_longest

from sqlglot import Dialect, exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from policies.language.metrics import FORMULAS, METRICS
from policies.language.number_text import UNITS, number_meant, plain
from policies.signs import CURLY, plain_sign

MAX_LENGTH = 4_000
MAX_DEPTH = 60
TOO_DEEP = ("this condition is nested too deeply", "give parts a name in define:")

_DIALECT = Dialect.get_or_raise("duckdb")
_SIGNS = "\u2265\u2264\u2260\u00d7\u00f7\u2212\u2013\u2014\uffe5\u00a5"
# They end a sentence; nothing ends a condition.
_STOPS = "；。？"
# Left behind by word processors and chats, seen by nobody.
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"
_PERCENT = (TokenType.NUMBER, TokenType.MOD)
_BEFORE_NAMED = {TokenType.COMMA, TokenType.L_PAREN}
_NAMED = {"else", "min_n"}
# What follows a name that is a value of its own.
_AFTER_VALUE = {TokenType.COMMA, TokenType.R_PAREN, TokenType.DOT, None}
_TYPES = _DIALECT.parser_class.TYPE_TOKENS - {TokenType.VAR, TokenType.IDENTIFIER}
_OPENING = {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE}
_CLOSING = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE}
# With the space it is no keyword of SQL, and nobody can write it.
_IF = "if "
_IF_HINT = "write if(condition, a, b)"
_WORDS = {
    **dict.fromkeys(("且", "并且", "而且", "和"), "AND"),
    **dict.fromkeys(("或", "或者"), "OR"),
    **dict.fromkeys(("非", "不", "不是"), "NOT"),
    **dict.fromkeys(("大于", "大於"), ">"),
    **dict.fromkeys(("小于", "小於"), "<"),
    **dict.fromkeys(("等于", "等於"), "="),
}
# What sqlglot gives no place: the n-th of the tree is the n-th of the text.
_UNMARKED: tuple[tuple[set[TokenType], type[exp.Expr]], ...] = (
    ({TokenType.PARAMETER}, exp.Placeholder),
    ({TokenType.TRUE, TokenType.FALSE}, exp.Boolean),
    ({TokenType.NULL}, exp.Null),
    ({TokenType.CASE}, exp.Case),
    ({TokenType.SELECT}, exp.Select),
)
_NUMBER_WORD = re.compile(r"\d(?:[\d.,，]*\d)?\s*[%\uff05]?", re.ASCII)
_NAME = re.compile(r"\w*")
# A comma inside {...} ends a value of YAML, so that what is cut off has none.
_CUT_OFF = "; inside {...} a condition with a comma stands in double quotes"
_PLAIN_DECIMAL = re.compile(r"\d{0,15}\.\d{1,6}", re.ASCII)
_SWAPPED = {"=>": ">=", "=<": "<=", "><": "<>"}


@dataclass(frozen=True, slots=True)
class Complaint:
    """Something wrong at a character of the text."""

    offset: int
    message: str
    suggestion: str = ""
    about: str = ""


@dataclass
class Parsed:
    """sqlglot's tree with the offsets of its nodes, or what is wrong with the text."""

    tree: exp.Expr | None
    complaints: list[Complaint]
    offsets: dict[int, int] = field(default_factory=dict)
    tokens: Sequence[Token] = ()

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
    try:
        tokens = _DIALECT.tokenize(text)
    except SqlglotError:
        return Parsed(None, [_unclosed(text)])
    complaints = [*_foreign_tokens(tokens)]
    if complaints:
        return Parsed(None, complaints)
    return _tree(text, _as_sql(tokens))


@lru_cache(1024)  # the same few texts are asked for every finding
def names_in(text: str) -> frozenset[str]:
    """The plain names that a text mentions: what it may need of `define:`. What stands between
    the brackets of a metric is about rows and needs nothing."""
    parsed = parse(text)
    if parsed.tree is None:
        return frozenset()
    reached = parsed.tree.walk(prune=_is_about_rows)
    return frozenset(node.name for node in reached if isinstance(node, exp.Column))


def tiers_in(text: str) -> set[str]:
    """The tier rules that a text names by `tier('rule')`; '' stands for the bare word."""
    parsed = parse(text)
    if parsed.tree is None:
        return set()
    found = {"" for node in parsed.tree.find_all(exp.Column) if node.name == "tier"}
    for call in parsed.tree.find_all(exp.Anonymous):
        if call.name.lower() == "tier":
            found |= {item.name for item in call.expressions if isinstance(item, exp.Literal)}
    return found


def _is_about_rows(node: exp.Expr) -> bool:
    return isinstance(node, exp.Anonymous) and node.name.lower() in {*METRICS, *FORMULAS}


def argument_text(parsed: Parsed, text: str, call: exp.Expr, place: int) -> str:
    """One argument of a call as it was written, but for white space and decimals that say
    nothing."""
    first = bisect_left(parsed.tokens, parsed.offset(call), key=_start) + 2
    tokens = iter(parsed.tokens[first:])
    depth, current, end = 1, 0, 0
    words: list[str] = []
    while depth:
        token = next(tokens)
        depth += (token.token_type in _OPENING) - (token.token_type in _CLOSING)
        if depth == 1 and token.token_type is TokenType.COMMA:
            current += 1
        elif depth and current == place:
            words += [" "] if words and token.start > end + 1 else []
            words.append(_shown(token, text))
        end = token.end
    return "".join(words)


def _shown(token: Token, text: str) -> str:
    written = text[token.start : token.end + 1]
    is_decimal = token.token_type is TokenType.NUMBER and _PLAIN_DECIMAL.fullmatch(written)
    return plain(Decimal(written)) if is_decimal else written


def _start(token: Token) -> int:
    return token.start


def _tree(text: str, tokens: list[Token]) -> Parsed:
    parser = _DIALECT.parser(error_message_context=MAX_LENGTH)
    try:
        trees = parser.parse_into(exp.Condition, tokens, text)
    except SqlglotError as error:
        return Parsed(None, [_reworded(text, error)])
    except Exception:  # noqa: BLE001 - a parser of a whole SQL dialect, fed with any text
        return Parsed(None, [Complaint(0, "this condition cannot be read")])
    tree = trees[0] if trees else None
    if not isinstance(tree, exp.Expr):
        return Parsed(None, [Complaint(0, "this condition cannot be read")])
    offsets: dict[int, int] = {}
    for kinds, forms in _UNMARKED:
        starts = iter(token.start for token in tokens if token.token_type in kinds)
        offsets |= {id(node): next(starts, 0) for node in tree.dfs() if isinstance(node, forms)}
    return Parsed(tree, [], offsets, tokens)


def _as_sql(tokens: list[Token]) -> list[Token]:
    """`else: x` as DuckDB's `else := x`, and `if(` as a function like any other. The colon may be
    left out: in YAML a value with a colon and a space in it has to stand in quotes."""
    result: list[Token] = []
    before: TokenType | None = None
    for word, following in zip(tokens, [*tokens[1:], None], strict=False):
        kind = following.token_type if following else None
        if before in _BEFORE_NAMED and word.text.isidentifier() and kind is TokenType.COLON:
            result.append(_retyped(word, TokenType.VAR, word.text))
        elif before in _BEFORE_NAMED and word.text in _NAMED and kind not in _AFTER_VALUE:
            result.append(_retyped(word, TokenType.VAR, word.text))
            result.append(_retyped(word, TokenType.COLON_EQ, ":="))
        elif word.token_type is TokenType.COLON and result and result[-1].text.isidentifier():
            named = len(result) > 1 and result[-2].token_type in _BEFORE_NAMED
            result.append(_retyped(word, TokenType.COLON_EQ, ":=") if named else word)
        elif kind is TokenType.L_PAREN and _is_if(word):
            result.append(_retyped(word, TokenType.VAR, _IF))
        elif kind in _OPENING and word.token_type in _TYPES:
            # sqlglot reads a type and its brackets twice: nested, each doubles the time
            result.append(_retyped(word, TokenType.VAR, word.text))
        else:
            result.append(word)
        before = word.token_type
    return result


def _retyped(token: Token, kind: TokenType, text: str) -> Token:
    return Token(kind, text, token.line, token.col, token.start, token.end, [])


def _outside_text(text: str) -> Iterator[tuple[int, str]]:
    """The characters that stand in no 'text' and in no "name"."""
    quote = ""
    for place, character in enumerate(text):
        if character == quote:
            quote = ""
        elif not quote and character in "'\"":
            quote = character
        elif not quote:
            yield place, character


def _unusual_characters(text: str) -> Iterator[Complaint]:
    for place, character in _outside_text(text):
        plain = plain_sign(character)
        if character in CURLY:
            fix = "put text in straight single quotes: 'A'"
            yield Complaint(place, f"curly quote {character}", fix)
        elif character in _INVISIBLE:
            yield Complaint(place, "an invisible character", "remove it")
        elif plain:
            word = "the sign" if character in _SIGNS else "full-width"
            shown = "space" if character.isspace() else character
            yield Complaint(place, f"{word} {shown}", _instead_of(text, place, plain))


def _instead_of(text: str, place: int, plain: str) -> str:
    """What to write for an unusual sign, by what stands around it."""
    if text[place] in _STOPS:
        return _joined(text, place)
    if plain == "$":
        name = _NAME.match(text, place + 1)
        word = name.group() if name else ""
        return f"write {word}" if word.isdecimal() else f"write '${word}'"
    number = _number_around(text, place) if plain in "%," else ""
    return f"write {number}" if number else f"write {plain!r}"


def _joined(text: str, place: int) -> str:
    """Instead of a sign that ends a sentence."""
    return "write AND between two conditions" if text[place + 1 :].strip() else "leave it out"


def _number_around(text: str, place: int) -> str:
    """The number that this sign is part of, as it is written here. A comma within brackets may
    stand between two arguments."""
    before = text[:place]
    if plain_sign(text[place]) == "," and before.count("(") > before.count(")"):
        return ""
    words = (word for word in _NUMBER_WORD.finditer(text) if word.start() < place < word.end())
    return next((number_meant(word.group()) for word in words), "")


def _unclosed(text: str) -> Complaint:
    if text.count("'") % 2:
        return Complaint(text.rfind("'"), "this text has no closing quote", "add '")
    if text.count('"') % 2:
        message = "this double quote has no partner"
        return Complaint(text.rfind('"'), message, "text stands in single quotes: 'A'")
    return Complaint(0, "this condition cannot be read")


def _foreign_tokens(tokens: list[Token]) -> Iterator[Complaint]:
    depth = 0
    for token, following in zip_longest(tokens, tokens[1:]):
        depth += (token.token_type in _OPENING) - (token.token_type in _CLOSING)
        if depth > MAX_DEPTH:
            yield Complaint(token.start, *TOO_DEEP)
            return
        if token.comments:
            message = "comments are not allowed inside a condition"
            yield Complaint(token.start, message, "use a YAML comment: # ...")
        elif token.token_type is TokenType.SEMICOLON:
            hint = "write AND between two conditions" if following else "leave it out"
            yield Complaint(token.start, "one condition only: ';' is not allowed", hint)
        elif token.token_type is TokenType.COLON_EQ:
            yield Complaint(token.start, "':=' is not an operator here", "write a colon: else: 0")
        elif _is_if_without_brackets(token, following):
            yield Complaint(token.start, "this form of IF is not allowed", _IF_HINT)
        elif following and (token.token_type, following.token_type) == _PERCENT:
            meant = number_meant(f"{token.text}%")
            hint = f"write {meant}" if meant else ""
            yield Complaint(following.start, "the sign % has no place in a condition", hint)
        elif token.token_type is TokenType.DAMP:
            yield Complaint(token.start, "'&&' is not an operator here", "write AND")


def _is_if_without_brackets(token: Token, following: Token | None) -> bool:
    return _is_if(token) and (following is None or following.token_type is not TokenType.L_PAREN)


def _is_if(token: Token) -> bool:
    is_quoted = token.token_type in {TokenType.STRING, TokenType.IDENTIFIER}
    return token.text.lower() == "if" and not is_quoted


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
    number = _number_around(text, offset) if highlight == "," else ""
    if number:
        return Complaint(offset, "a number has no comma", f"write {number}")
    if text.count("(") > text.count(")"):
        hint = "add ')'" if "," in text else f"add ')'{_CUT_OFF}"
        return Complaint(offset, "a bracket is not closed", hint)
    if text.count("(") < text.count(")"):
        return Complaint(offset, "a closing bracket has no partner", "remove one ')'")
    return Complaint(offset, f"unexpected '{highlight}'", _instead_of_word(text, offset, highlight))


def _instead_of_word(text: str, offset: int, word: str) -> str:
    if word in _WORDS:
        return f"write {_WORDS[word]}"
    swapped = next((wrong for wrong in _SWAPPED if wrong in text), "")
    hint = f"write {_SWAPPED[swapped]} instead of {swapped}" if swapped else ""
    return _without_unit(text[:offset], word.lower()) or hint


def _without_unit(before: str, unit: str) -> str:
    """How the number is written that stands before a unit."""
    words = [*_NUMBER_WORD.finditer(before)]
    if unit not in UNITS or not words or before[words[-1].end() :].strip():
        return ""
    meant = number_meant(words[-1].group() + unit)
    return f"write the number alone: {meant}" if meant else ""
