"""What a run keeps for its whole length: the mapping, read and checked once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connector.errors import FileProblems
from connector.needs import NO_NEEDS, Needs
from connector.sync import Context
from tests.connector.pull_world import make_world


def context(root: Path, text: str = "", **config: Any) -> Context:
    world = make_world(root, **config)
    return Context(world.workspace, world.crm, mapping=text or world.mapping)  # type: ignore[arg-type] # nothing is asked


def test_a_mapping_is_compiled_once_for_a_run(tmp_path: Path) -> None:
    run = context(tmp_path)
    assert run.compiled_mapping is run.compiled_mapping
    assert run.mapping_for(NO_NEEDS) is run.compiled_mapping


def test_the_fields_of_a_policy_are_asked_for_besides(tmp_path: Path) -> None:
    run = context(tmp_path)
    plain = run.compiled_mapping
    wished = run.mapping_for(Needs(frozenset({"Level"})))
    assert set(wished.shapes["Accounts"].fields) - set(plain.shapes["Accounts"].fields) == {"Level"}
    assert wished.hash == plain.hash


def test_problems_of_a_mapping_are_told_by_the_name_of_its_file(tmp_path: Path) -> None:
    run = context(tmp_path, "mapping: 2\n", mapping="facts.yaml")
    for wanted in (NO_NEEDS, Needs(frozenset({"Level"}))):
        with pytest.raises(FileProblems, match=r"facts\.yaml:1"):
            run.mapping_for(wanted)
