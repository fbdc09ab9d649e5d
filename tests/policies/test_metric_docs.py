"""The page of metrics says what the code does, in every language."""

from __future__ import annotations

from pathlib import Path

import pytest

from policies.authoring.metric_docs import metric_form, metrics_page
from policies.language.metrics import CLOCKS, FORMULAS, FUNCTIONS, METRICS
from policies.language.vocabulary import ATTRIBUTES, EVENTS
from policies.languages import LANGUAGES

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"


@pytest.mark.parametrize(
    ("language", "name"), [("en", "metrics.md"), ("zh-CN", "metrics.zh-CN.md")]
)
def test_the_pages_are_as_the_code_makes_them(language: str, name: str) -> None:
    written = (DOCS / name).read_text(encoding="utf-8")
    assert written == metrics_page(language), "write it anew: highseas policy docs"


def line(page: str, name: str) -> str:
    """The one line that defines a name."""
    found = [
        row
        for row in page.splitlines()
        if row.startswith((f"| `{name}`", f"| `{name}(", f"| `{name}["))
    ]
    assert len(found) == 1, name
    return found[0]


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_that_can_be_named_has_one_line(language: str) -> None:
    page = metrics_page(language)
    for name in (*METRICS, *FORMULAS, *FUNCTIONS, *ATTRIBUTES, *CLOCKS):
        assert line(page, name)
    for table in EVENTS.values():
        for column in table.usable.values():
            row = f"| `{table.name}` | `{column.name}` |"
            assert page.count(row) == 1
            assert all(f"`'{value}'`" in page for value in column.values)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_of_the_page_is_missing_or_unfilled(language: str) -> None:
    page = metrics_page(language)
    assert "docs." not in page.replace("docs.rs", "")
    assert "{" not in page
    rows = [row for row in page.splitlines() if row.startswith("|")]
    assert all("|  |" not in row for row in rows)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        (
            "orders_count",
            (
                "integer: number of rows",
                "`confirmed`",
                "`happened_at` ≥ 00:00 (D - N), < T",
                "0; gap",
            ),
        ),
        ("deals_won", ("`closed_at` ≥ 00:00 (D - N), < T", "pulled from its beginning")),
        ("invoices_due", ("`due_on` ≥ D - N", "`NOT disputed AND days_since(due_on) > 0`")),
        (
            "last_followup_at",
            ("moment: last `happened_at`", "clock `followup`", "| - | never; gap"),
        ),
        ("attempts_unanswered", ("only after the last row of the clock `response`",)),
        ("orders_amount", ("amount of money", "currencies are mixed")),
        ("survey_points", ("sum of `score`", "0; gap, or a value is blank")),
        ("last_nps", ("`score` of the last row", "several last rows differ")),
        ("open_deals_age_mean", ("fewer cases than 1", "min_n: 1")),
        (
            "on_time_rate",
            ("ratio", "fewer cases than 5", "rate(invoices_on_time($days), invoices_due($days))"),
        ),
    ],
)
def test_a_line_defines_shape_unit_window_and_what_nothing_means(
    name: str, parts: tuple[str, ...]
) -> None:
    found = line(metrics_page("en"), name)
    assert [part for part in parts if part not in found] == []


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("orders_count", "orders_count([days] [, condition])"),
        ("open_deals", "open_deals[(condition)]"),
        ("last_order_at", "last_order_at[(condition)]"),
        ("order_interval_median", "order_interval_median[([condition] [, else: number])]"),
    ],
)
def test_a_form_shows_what_can_be_left_out(name: str, form: str) -> None:
    assert metric_form(METRICS[name]) == form


def test_figures_are_grouped_as_the_language_does_it() -> None:
    assert "36,500" in metrics_page("en")
    assert "36.500" in metrics_page("de")
