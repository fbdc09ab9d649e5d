"""A YAML file checked against a pydantic model, with every problem at its place; for adapters,
which know the schema of their own files but not how policies are read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from connector.errors import FileProblems, Problem
from policies.suggestion import nearest
from policies.validation import problems_from_validation
from policies.yaml_source import Document, PathKey, read_yaml

__all__ = ["Document", "PathKey", "Problem", "checked", "nearest", "read_yaml"]

Model = TypeVar("Model", bound=BaseModel)


def checked(document: Document, model: type[Model], hint: str = "") -> Model:
    """The document as a `model`. Raises `FileProblems` with all problems; `hint` names the page
    that tells more."""
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        found = problems_from_validation(document, error, model)
        raise FileProblems(list(dict.fromkeys(found)), hint) from None


def refuse(problems: Iterable[Problem], hint: str = "") -> None:
    """Raise `FileProblems` when there are any."""
    found = sorted(set(problems))
    if found:
        raise FileProblems(found, hint)
