"""Pydantic's complaints as problems with a place, for any file of the product."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from policies.validation import problems_from_validation
from policies.yaml_source import read_yaml


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    size: int = 0
    ratio: float = 0.5


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    one: Inner | None = None
    many: list[Inner] = Field(default_factory=list, alias="lots")
    named: Mapping[str, Inner] = Field(default_factory=dict)
    pair: tuple[Inner, ...] = ()
    flag: bool = False

    @field_validator("flag")
    @classmethod
    def no_flag(cls, value: bool) -> bool:
        if value:
            message = "flags are out of fashion"
            raise ValueError(message)
        return value


def found(text: str, model: type[BaseModel] | None = Outer) -> list[str]:
    document = read_yaml(text, "f.yaml")
    with pytest.raises(ValidationError) as raised:
        Outer.model_validate(document.value)
    return [str(item) for item in problems_from_validation(document, raised.value, model)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("onee: 1", "f.yaml:1:1: unknown key 'onee' - did you mean 'one'?"),
        ("lot: []", "f.yaml:1:1: unknown key 'lot' - did you mean 'lots'?"),
        ("one: {sise: 1}", "f.yaml:1:7: unknown key 'sise' - did you mean 'size'?"),
        ("lots: [{sise: 1}]", "f.yaml:1:9: unknown key 'sise' - did you mean 'size'?"),
        ("named: {x: {sise: 1}}", "f.yaml:1:13: unknown key 'sise' - did you mean 'size'?"),
        ("pair: [{sise: 1}]", "f.yaml:1:9: unknown key 'sise' - did you mean 'size'?"),
        ("one: {zzz: 1}", "f.yaml:1:7: unknown key 'zzz' - valid here: ratio, size"),
        ("one: 5", "f.yaml:1:6: expected keys and values, found '5'"),
        ("lots: {}", "f.yaml:1:7: expected a list, found keys and values"),
        ("one: []", "f.yaml:1:6: expected keys and values, found a list"),
        ("lots: null", "f.yaml:1:7: expected a list, found nothing"),
        ("flag: true", "f.yaml:1:7: flags are out of fashion"),
        ("one: {size: 1.5}", "f.yaml:1:13: expected a whole number, found '1.5'"),
        (f"flag: {'x' * 80}", f"f.yaml:1:7: expected true or false, found '{'x' * 57}...'"),
    ],
)
def test_each_complaint_has_its_place(text: str, expected: str) -> None:
    assert found(text) == [expected]


def test_without_a_model_there_is_no_suggestion() -> None:
    assert found("onee: 1", None) == ["f.yaml:1:1: unknown key 'onee'"]


def test_decimals_of_the_reader_fit_floats() -> None:
    document = read_yaml("one: {ratio: 0.25}", "f.yaml")
    outer = Outer.model_validate(document.value)
    assert outer.one is not None
    assert outer.one.ratio == 0.25
