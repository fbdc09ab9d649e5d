"""Note templates: Jinja2 in a sandbox, plain text, every name known before the first run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from policies.suggestion import nearest

TEMPLATE_NAMES = ("title", "reason", "facts", "stage", "label", "task")
MAX_TEMPLATE = 4_000

_SAMPLE = dict.fromkeys(TEMPLATE_NAMES, "x")

# A note is plain text for people; HTML escaping would put entities into the CRM.
_environment = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined,
    autoescape=False,
    keep_trailing_newline=False,
)
# `range` and its kin could make a note of any size.
_environment.globals.clear()


def template_problem(text: str) -> tuple[int, str, str] | None:
    """Offset, fact and help, if the template cannot be used."""
    if len(text) > MAX_TEMPLATE:
        return 0, f"the note is longer than {MAX_TEMPLATE:,} characters", ""
    try:
        tree = _environment.parse(text)
        for name in sorted(meta.find_undeclared_variables(tree)):
            if name not in TEMPLATE_NAMES:
                offset = max(text.find(name), 0)
                return offset, f"unknown name '{name}' in the note", nearest(name, TEMPLATE_NAMES)
        rendered = render_template(text, _SAMPLE)
    except TemplateSyntaxError as error:
        lines = text.split("\n")[: max(error.lineno - 1, 0)]
        return sum(len(line) + 1 for line in lines), f"the note cannot be read: {error.message}", ""
    except TemplateError as error:
        return 0, f"the note cannot be rendered: {error.message}", ""
    except Exception as error:  # noqa: BLE001 - arbitrary template code, run on a sample
        return 0, f"the note cannot be rendered ({type(error).__name__})", ""
    return (
        None if rendered.strip() else (0, "the note is empty", "leave it out, or write note: false")
    )


def names_of(text: str) -> frozenset[str]:
    """The names that a template which can be used asks for."""
    return frozenset(meta.find_undeclared_variables(_environment.parse(text)))


def render_template(text: str, values: Mapping[str, Any]) -> str:
    return _compiled(text).render(**values)


@lru_cache(maxsize=256)  # compiling one takes as long as a hundred notes
def _compiled(text: str) -> Template:
    return _environment.from_string(text)
