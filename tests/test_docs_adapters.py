"""docs/adapters.md: its code runs, its names exist, and it leaves nothing of the port out."""

from __future__ import annotations

import importlib
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters import GROUP, contract, memory_profile
from adapters.contract import AdapterContract, Part
from connector import errors, models, ports
from connector.workspace import Workspace

PAGE = (Path(__file__).parents[1] / "docs" / "adapters.md").read_text("utf-8")
# The distribution at the end is built and run by test_third_party_adapter.py.
REFERENCE = PAGE.partition("\n## A whole adapter\n")[0]
PYTHON = re.findall(r"```python\n(.*?)```", REFERENCE, re.DOTALL)
PROSE = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
WORDS = set(re.findall(r"`([^`\n]+)`", PROSE))
DOTTED = sorted(word for word in WORDS if re.fullmatch(r"(connector|adapters)(\.\w+)+", word))
# Names in capitals that belong to the vendors.
VENDOR_WORDS = {"ActiveRecordObj", "ETag"}
CLASSES = sorted(
    word
    for word in WORDS - VENDOR_WORDS
    if re.fullmatch(r"[A-Z][a-z]+([A-Z][a-z]+)*(\.\w+)?", word)
)
PROFILES = [
    each.name for each in vars(memory_profile).values() if isinstance(each, memory_profile.Profile)
]


def resolve(path: str) -> Any:
    """The module or the object in a module that a dotted name means."""
    parts = path.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for name in parts[cut:]:
            found = getattr(found, name)
        return found
    raise AssertionError(path)


@pytest.mark.parametrize("name", DOTTED)
def test_dotted_name_exists(name: str) -> None:
    assert resolve(name) is not None


@pytest.mark.parametrize("name", CLASSES)
def test_class_and_its_field_exist(name: str) -> None:
    owner, _, field = name.partition(".")
    homes = (ports, models, errors, contract)
    found = [getattr(home, owner) for home in homes if hasattr(home, owner)]
    found += [Workspace] if owner == "Workspace" else []
    assert found, f"{owner} is nowhere"
    assert not field or hasattr(found[0], field), f"{owner} has no {field}"


def test_page_names_enough_to_be_checked() -> None:
    assert len(DOTTED) >= 12
    assert len(CLASSES) >= 25


@pytest.mark.parametrize("verb", sorted(v for v in vars(ports.Adapter) if not v.startswith("_")))
def test_every_verb_has_a_section_and_a_row(verb: str) -> None:
    assert f"### `{verb}`" in PAGE
    assert f"| `{verb}` |" in PAGE


@pytest.mark.parametrize(
    "word",
    [
        *(status.value for status in models.OutcomeStatus),
        *(kind.value for kind in models.PrimitiveKind),
        *(field.name for field in msgspec.structs.fields(ports.Capabilities)),
        *(part.value for part in Part),
    ],
)
def test_every_word_of_the_port_has_a_row(word: str) -> None:
    assert f"| `{word}` |" in PAGE


@pytest.mark.parametrize("value", [*ports.NoteLookup, *PROFILES])
def test_every_lookup_and_profile_that_the_page_promises_is_there(value: str) -> None:
    assert value == "plain" or f"`{value}`" in PAGE or value.upper() in PAGE


def test_write_limit_is_told_in_full() -> None:
    for field in msgspec.structs.fields(ports.WriteLimit):
        assert f"`{field.name}`" in PAGE


def test_example_of_the_suite_is_collected_and_runs() -> None:
    names: dict[str, Any] = {}
    exec(PYTHON[0], names)  # noqa: S102 - the page's own code
    assert issubclass(names["TestMine"], AdapterContract)
    world = names["MemoryWorld"]()
    names["TestMine"]().test_inverse_brings_everything_back(world)


def test_example_of_the_reference_adapter_holds() -> None:
    names: dict[str, Any] = {}
    exec(PYTHON[1], names)  # noqa: S102 - the page's own code
    assert names["adapter"].crm.writes == 1


def test_example_of_an_entry_point_can_be_called() -> None:
    class MyCrmAdapter:
        def __init__(self, url: str, key: str) -> None:
            self.given = (url, key)

    class Folder:
        def __init__(self) -> None:
            self.settings = {"url": "https://crm.example", "api_key": "env:KEY"}

        def secret(self, reference: str) -> str:
            return reference.removeprefix("env:")

    names: dict[str, Any] = {"MyCrmAdapter": MyCrmAdapter}
    exec(PYTHON[2], names)  # noqa: S102 - the page's own code
    assert names["open_adapter"](Folder()).given == ("https://crm.example", "KEY")


def test_entry_point_group_is_the_documented_one() -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", REFERENCE, re.DOTALL)
    group = tomllib.loads(block)["project"]["entry-points"]
    assert group == {GROUP: {"mycrm": "mycrm_highseas:open_adapter"}}


def test_one_sentence_a_line() -> None:
    running = re.sub(r"^(\||#).*$", "", PROSE, flags=re.MULTILINE)
    assert not re.findall(r"\w[.!?] [A-Z]", running)
