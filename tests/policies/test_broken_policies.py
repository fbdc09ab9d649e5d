"""A thousand broken policy files: each is answered with problems in their places, nothing else."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from policies.errors import FileProblems, Problem
from policies.library import library_names, library_text
from policies.policy import load_policy

BROKEN = 1_000
ROOT = Path(__file__).resolve().parents[2]
GOOD = (
    *(library_text(name) for name in library_names()),
    (ROOT / "docs" / "examples" / "manufacturer.yaml").read_text("utf-8"),
)
FULL_WIDTH = {
    ",": "，",
    ":": "：",
    ">": "＞",
    "<": "＜",
    "=": "＝",
    "(": "（",
    ")": "）",
    "'": "‘",
    "{": "\uff5b",
    "}": "\uff5d",
    "[": "\uff3b",
    "]": "\uff3d",
    "$": "\uff04",
    "-": "\uff0d",
    " ": "\u3000",
}
WRONG_VALUES = (
    *("[]", "{}", "null", "true", "-1", "0", "5.5", "1e99", "9" * 25, "'", '"x', "2026-01-01"),
    *("{a: b}", "[1, 2]", "''", "else", "x" * 5_000, "$nix", "nix > 1", "status", "-", "1 = 1"),
    *("DROP TABLE x", "(SELECT 1)", "read_csv('x')", "days_since(", "'a' || 'b'", "&a 5", "*a"),
    *("!!python/object:os.system x", "region = 'a", "abc(nix) = 'A'", "has_tag(", "tier('nix')"),
    *("“x”", "7 moons", "105%", "$act_date", "库存 > 1", "orders_count(-1) > 0", "field('a b')"),
)
WRONG_NAMES = ("whne", "when：", "规则", "", "off", "task", "<<", "params", "0", "tier", "'", "—")
KEY = re.compile(r"(?<![\w$'])([A-Za-z_]+)(?=: )")
VALUE = re.compile(r"(?<=: )([^{}\[\],#\n]+)")

Change = Callable[[random.Random, str], str | bytes]


def _line(chance: random.Random, text: str) -> tuple[list[str], int]:
    lines = text.splitlines(keepends=True)
    return lines, chance.randrange(len(lines))


def dropped_line(chance: random.Random, text: str) -> str:
    lines, place = _line(chance, text)
    return "".join(lines[:place] + lines[place + 1 :])


def doubled_line(chance: random.Random, text: str) -> str:
    lines, place = _line(chance, text)
    return "".join(lines[: place + 1] + lines[place:])


def moved_line(chance: random.Random, text: str) -> str:
    lines, place = _line(chance, text)
    line = lines.pop(place)
    lines.insert(chance.randrange(len(lines) + 1), line)
    return "".join(lines)


def shifted_line(chance: random.Random, text: str) -> str:
    lines, place = _line(chance, text)
    lines[place] = chance.choice(["\t", " ", "   ", "        ", "- "]) + lines[place]
    return "".join(lines)


def full_width_sign(chance: random.Random, text: str) -> str:
    place = chance.choice([place for place, sign in enumerate(text) if sign in FULL_WIDTH])
    return text[:place] + FULL_WIDTH[text[place]] + text[place + 1 :]


def full_width_everywhere(chance: random.Random, text: str) -> str:
    sign = chance.choice(list(FULL_WIDTH))
    return text.replace(sign, FULL_WIDTH[sign])


def curly_quotes(chance: random.Random, text: str) -> str:
    return re.sub(r"'([^']*)'", chance.choice(["“\\1”", "‘\\1’", "「\\1」"]), text)


def renamed_key(chance: random.Random, text: str) -> str:
    match = chance.choice(list(KEY.finditer(text)))
    key = match.group()
    changed = chance.choice([key[1:], key + key[-1], key.upper(), *WRONG_NAMES])
    return text[: match.start()] + changed + text[match.end() :]


def wrong_value(chance: random.Random, text: str) -> str:
    match = chance.choice(list(VALUE.finditer(text)))
    return text[: match.start()] + chance.choice(WRONG_VALUES) + text[match.end() :]


def unknown_name(chance: random.Random, text: str) -> str:
    match = chance.choice(list(re.finditer(r"\b[a-z]+_[a-z_]+\b", text)))
    name = match.group()
    place = chance.randrange(len(name))
    return text[: match.start()] + name[:place] + name[place + 1 :] + text[match.end() :]


def cut_off(chance: random.Random, text: str) -> str:
    return text[: chance.randrange(len(text))]


def cut_within(chance: random.Random, text: str) -> str:
    place = chance.randrange(len(text))
    return text[:place] + text[place + chance.choice([1, 2, 5, 40, 200]) :]


def foreign_sign(chance: random.Random, text: str) -> str:
    signs = [*"\t'\"{}[]:#&*!|>%@`\\\x00\x07\u2028\u200b", "---\n", "...\n", "? ", "- ", ": "]
    place = chance.randrange(len(text))
    return text[:place] + chance.choice(signs) + text[place:]


def foreign_bytes(chance: random.Random, text: str) -> bytes:
    content = text.encode(chance.choice(["utf-8", "utf-16", "gb18030"]))
    place = chance.randrange(len(content))
    return content[:place] + chance.choice([b"\xff", b"\xfe\xff", b"\xc3", b""]) + content[place:]


def marked_and_broken(chance: random.Random, text: str) -> bytes:
    changed = wrong_value(chance, text)
    return b"\xef\xbb\xbf" + changed.encode()


def shortcuts(chance: random.Random, text: str) -> str:
    lines, place = _line(chance, text)
    added = chance.choice(
        ["x: &a [*a]\n", "<<: {a: 1}\n", "? [a]\n: b\n", "x: !tag y\n", "%YAML 1.1\n"]
    )
    return "".join([*lines[:place], added, *lines[place:]])


CHANGES: tuple[Change, ...] = (
    dropped_line,
    doubled_line,
    moved_line,
    shifted_line,
    full_width_sign,
    full_width_everywhere,
    curly_quotes,
    renamed_key,
    wrong_value,
    unknown_name,
    cut_off,
    cut_within,
    foreign_sign,
    foreign_bytes,
    marked_and_broken,
    shortcuts,
)


def check(problem: Problem, content: bytes) -> None:
    lines = content.decode("utf-8-sig", "replace").split("\n")
    assert problem.message.strip(), problem
    assert "Error" not in str(problem), problem
    assert "object at 0x" not in str(problem), problem
    if problem.file == "policy.yaml":
        assert 1 <= problem.line <= len(lines), problem
        # Bytes that are no text may take more room than the signs that stand for them.
        assert 1 <= problem.column <= len(content.split(b"\n")[problem.line - 1]) + 2, problem


def problems_of(path: Path) -> tuple[Problem, ...]:
    """None for a file that is as good as before."""
    try:
        load_policy(path)
    except FileProblems as refusal:
        return refusal.problems or pytest.fail("refused without a problem")
    return ()


@pytest.mark.parametrize("part", range(10))
def test_a_broken_file_gives_problems_in_their_places(part: int, tmp_path: Path) -> None:
    chance = random.Random(20261122 + part)  # noqa: S311 - a seed, so that a failure comes again
    path = tmp_path / "policy.yaml"
    judged: Counter[str] = Counter()
    valid = 0
    while judged.total() < BROKEN // 10:
        change = CHANGES[judged.total() % len(CHANGES)]
        if valid > BROKEN:
            pytest.fail(f"{change.__name__} breaks nothing")
        changed = change(chance, chance.choice(GOOD))
        content = changed if isinstance(changed, bytes) else changed.encode()
        path.write_bytes(content)
        problems = problems_of(path)
        for problem in problems:
            check(problem, content)
        judged[change.__name__] += bool(problems)
        valid += not problems
    assert judged.total() == BROKEN // 10
    assert len(judged) == len(CHANGES)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("reason: lost_contact", "reason：lost_contact", "the sign ： means nothing here"),
        ("mark: {tag", "mark: \uff5btag", "the sign \uff5b means nothing here"),
        ("days_since(", "days_since（", "full-width （"),
        (">=", "≥", "write '>='"),
        ("= 0", "＝ 0", "full-width ＝"),
        ("'key-account'", "“key-account”", "curly quote “"),
        ("when: quiet", "when： quiet", "the sign ： means nothing here"),
        ("\nlimits: ", "\n\tlimits: ", "indent with spaces"),
        ("open_deals > 0", "open_deal > 0", "did you mean 'open_deals'?"),
    ],
)
def test_signs_of_a_chinese_keyboard_are_named_with_the_fix(
    old: str, new: str, expected: str, tmp_path: Path
) -> None:
    text = library_text("starter") + "# = 0\n"
    text = text.replace("open_deals > 0", "open_deals = 0") if old == "= 0" else text
    assert old in text
    path = tmp_path / "policy.yaml"
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(FileProblems) as raised:
        load_policy(path)
    assert any(expected in str(problem) for problem in raised.value.problems), raised.value.problems
