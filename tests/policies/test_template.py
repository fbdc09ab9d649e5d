"""Templates of notes: what they may hold is known before the first run."""

from __future__ import annotations

import pytest

from policies.template import MAX_TEMPLATE, TEMPLATE_NAMES, render_template, template_problem


def test_every_name_can_be_used() -> None:
    text = " ".join(f"{{{{ {name} }}}}" for name in TEMPLATE_NAMES)
    assert template_problem(text) is None
    assert render_template(text, dict.fromkeys(TEMPLATE_NAMES, "值")) == "值 值 值 值 值 值"


def test_text_is_not_escaped() -> None:
    assert render_template("{{ label }} & co", {"label": "<b>"}) == "<b> & co"


@pytest.mark.parametrize(
    ("text", "offset", "fact"),
    [
        ("ok {{ factz }}", 6, "unknown name 'factz' in the note"),
        ("a\n{% if %}", 2, "the note cannot be read: "),
        ("{{ facts.x.y }}", 0, "the note cannot be rendered: "),
        ("{{ 1 / 0 }}", 0, "the note cannot be rendered (ZeroDivisionError)"),
        ("{{ range(9) }}", 3, "unknown name 'range' in the note"),
        ("x" * (MAX_TEMPLATE + 1), 0, "the note is longer than 4,000 characters"),
        (" {# nothing #} ", 0, "the note is empty"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_place(text: str, offset: int, fact: str) -> None:
    problem = template_problem(text)
    assert problem is not None
    assert problem[0] == offset
    assert problem[1].startswith(fact)


def test_a_name_nearly_right_is_put_right() -> None:
    problem = template_problem("{{ factz }}")
    assert problem is not None
    assert "facts" in problem[2]
