"""docs/rest.md: its tables are held against the schema of a description, and its recipes load."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from adapters.rest.editor_schema import description_schema
from adapters.rest.loading import Source, preset, read_description
from adapters.rest.schema import (
    auth_description,
    call_description,
    description,
    object_description,
    write_description,
)
from adapters.rest.schema.call_description import CallForm, Form, Part
from adapters.rest.schema.description import VERDICTS, Description, Meaning
from adapters.rest.schema.object_description import FieldType
from adapters.rest.templates import _ENVIRONMENT
from connector.ports import NoteLookup
from tests.adapters.rest.presets import PRESETS

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "rest.md").read_text("utf-8")
BEHIND = PAGE.partition("\n## Reference\n")[2]
REFERENCE, _, ADVICE = BEHIND.partition("\n## What a server has to offer\n")

# The reference: a heading, and the classes of the schema whose keys stand below it, each behind a
# prefix. What a class has from another one is told there.
TABLES: Mapping[str, Mapping[str, type[Part]]] = {
    "The file": {"": Description},
    "settings": {"": description.Setting},
    "server": {"": description.Server},
    "identity": {"": description.Identity},
    "A call": {"": CallForm},
    "A call that writes": {"": write_description.WriteCall},
    "A place": {"": call_description.Place},
    "`kind: oauth2`": {"": auth_description.OAuth2},
    "`kind: login`": {
        "": auth_description.Login,
        "token.": auth_description.Cookie,
        "use.": auth_description.Use,
    },
    "errors": {"": description.Errors, "envelope.": description.Envelope},
    "pacing": {"": description.Pacing},
    "values": {
        "": description.Values,
        "tagged.": description.Tagged,
        "named.": description.Named,
    },
    "objects": {
        "": object_description.ObjectForm,
        "lookups.": object_description.Lookup,
        "modified.": object_description.Modified,
        "sweep.": object_description.Sweep,
    },
    "fields": {"": object_description.FieldForm},
    "lists": {"": object_description.Listing},
    "changes": {"": object_description.Changes, "tombstone.": object_description.Tombstone},
    "deleted": {"": object_description.Deleted},
    "read": {"": object_description.Read},
    "writes": {
        "": write_description.Writes,
        "locking.": write_description.Locking,
        "idempotency.": write_description.Idempotency,
    },
    "update": {"": write_description.Update},
    "batch": {"": write_description.BatchUpdate, "result.": write_description.Result},
    "Tag catalogue": {"": write_description.Catalogue},
    "`model: records`": {"": write_description.NoteRecords},
    "Note batch": {"": write_description.NoteBatch, "result.": write_description.Result},
}
# Those that are told apart by a word: the heading, the key of the word, and what stands for it.
CHOICES: Mapping[str, tuple[str, Any]] = {
    "auth": ("kind", auth_description.Auth),
    "paging": ("kind", object_description.Paging),
    "tags": ("model", write_description.Tags),
    "notes": ("model", write_description.Notes),
}
ROW = re.compile(r"^\| `([^`]+)` \| (.*?) \| (.*) \|$", re.MULTILINE)


def section(heading: str) -> str:
    found = re.findall(
        rf"^### {re.escape(heading)}\n(.*?)(?=^###? |\Z)", REFERENCE, re.DOTALL | re.MULTILINE
    )
    assert len(found) == 1, heading
    text: str = found[0]
    return text


def own_keys(part: type[BaseModel]) -> dict[str, FieldInfo]:
    """Keys as they are written, but for those of the class that it builds upon."""
    above = {
        name
        for each in part.__mro__[1:]
        if issubclass(each, BaseModel)
        for name in each.model_fields
    }
    fields = part.model_fields.items()
    return {field.alias or name: field for name, field in fields if name not in above}


def without_it(field: FieldInfo) -> str:
    """What holds where a key is left out, as the page writes it."""
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True)
    match value:
        case BaseModel() | None | "" | () | {}:
            return "-"
        case bool():
            return "yes" if value else "no"
        case tuple():
            return "`" + str(list(value)).lower() + "`"
        case Form() | str():
            return f"`{value}`"
        case _:
            return f"{value:g}"


@pytest.mark.parametrize("heading", TABLES)
def test_a_table_has_each_key_of_the_schema_and_no_other(heading: str) -> None:
    table = section(heading).partition("| key |")[2].partition("\n\n")[0]
    told = {key: default for key, default, _ in ROW.findall(table)}
    keys = {
        prefix + key: without_it(field)
        for prefix, part in TABLES[heading].items()
        for key, field in own_keys(part).items()
    }
    assert told == keys


@pytest.mark.parametrize("heading", CHOICES)
def test_a_table_of_kinds_has_each_kind_with_its_keys(heading: str) -> None:
    word, union = CHOICES[heading]
    table = section(heading).partition(f"| `{word}` | its keys |")[2].partition("\n\n")[0]
    told = {row[0]: row[1] for row in re.findall(r"^\| `(\w+)` \|(.*?)\|", table, re.MULTILINE)}
    classes = {_word(part, word): part for part in get_args(get_args(union)[0])}
    assert told.keys() == classes.keys()
    for name, part in classes.items():
        keys = set(re.findall(r"`(\w+)`", told[name]))
        if "see below" in told[name]:
            assert any(part in tables.values() for tables in TABLES.values()), name
        else:
            assert keys == own_keys(part).keys() - {word}, name


def _word(part: type[BaseModel], key: str) -> str:
    (word,) = get_args(part.model_fields[key].annotation)
    return str(word)


def test_no_part_of_the_schema_is_left_out() -> None:
    told = {part.__name__ for tables in TABLES.values() for part in tables.values()}
    told |= {
        part.__name__ for _, union in CHOICES.values() for part in get_args(get_args(union)[0])
    }
    enums = {name for name, part in description_schema()["$defs"].items() if "enum" in part}
    assert told == description_schema()["$defs"].keys() - enums | {"Description"}


def test_every_word_that_a_key_may_hold_is_told() -> None:
    words = [*get_args(Meaning), *get_args(FieldType), *Form, *VERDICTS, *NoteLookup]
    assert [word for word in words if f"`{word}`" not in REFERENCE] == []


def test_the_filters_on_the_page_are_those_of_templates() -> None:
    plain = set(type(_ENVIRONMENT)().filters)
    table = section("Templates").partition("| filter |")[2]
    told = re.findall(r"`(\w+)(?:\([^`]*\))?`", "".join(row.split("|")[1] for row in _rows(table)))
    assert set(told) == set(_ENVIRONMENT.filters) - plain


def _rows(table: str) -> list[str]:
    return re.findall(r"^\| `.*$", table.partition("\n\n")[0], re.MULTILINE)


# Around a recipe: whatever it does not say itself.
REST: dict[str, Any] = {
    "rest": 1,
    "name": "Recipe",
    "settings": {name: {} for name in ("url", "user", "password", "key")},
    "server": {"url": "{{ url }}"},
    "identity": {"call": {"path": "/me"}, "id": "{{ answer.id }}"},
}
CUSTOMERS = {"list": {"path": "/customers"}, "read": {"one": {"path": "/customers/{{ id }}"}}}
RECIPES = {
    re.sub(r"\W+", " ", title).strip(): body
    for title, body in re.findall(
        r"^\*\*(.+?)\*\*$.*?^```yaml\n(.*?)^```$", ADVICE, re.DOTALL | re.MULTILINE
    )
}


@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_is_part_of_a_description(title: str) -> None:
    recipe = yaml.safe_load(RECIPES[title])
    whole = {**REST, "objects": {"customers": CUSTOMERS}, **recipe}
    found = read_description(Source(yaml.safe_dump(whole, sort_keys=False), title))
    assert set(recipe) <= found.model_fields_set


def test_no_yaml_outside_of_the_tutorial_goes_untried() -> None:
    assert len(RECIPES) == BEHIND.count("```yaml") == BEHIND.count("\n**")


@pytest.mark.parametrize("name", PRESETS)
def test_the_page_says_of_a_preset_what_it_says_itself(name: str) -> None:
    own = read_description(preset(name))
    assert f"| `{name}` | {own.name} | {own.status} |" in PAGE


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_a_readme_names_every_preset(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    assert "(docs/rest.md)" in text
    for name in PRESETS:
        assert f"`{name}`" in text, name


def test_what_check_says_is_said_in_these_words() -> None:
    path = ROOT / "policies" / "messages" / "en.promises.yaml"
    said = yaml.safe_load(path.read_text("utf-8"))
    for text in said["promise"].values():
        assert f"| `{text}` |" in ADVICE, text
    for state in ("ok", "warning", "failed", "untried"):
        assert f"| `{said['finding'][state]}` |" in ADVICE


def test_one_sentence_stands_on_a_line() -> None:
    prose = re.sub(r"```.*?```|^(\||#).*?$|`[^`\n]*`", "", PAGE, flags=re.DOTALL | re.MULTILINE)
    assert not re.findall(r"\w[.!?] [A-Z]\w", prose)
