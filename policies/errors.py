"""The root of every error that highseas raises on purpose, and the errors of policy files."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import ClassVar


class HighseasError(Exception):
    """One line of fact (`message`), one line of help (`hint`); the class has the exit code."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigurationError(HighseasError):
    """A file or an option that the user wrote cannot be used as it stands."""

    exit_code = 2


class NotUnderstoodError(ValueError):
    """A text of the policy's author says nothing that can be used: a fact and a way out."""

    def __init__(self, message: str, suggestion: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.suggestion = suggestion


# A field of the CRM's own whose type nobody said: the CRM may know it by now.
UNTYPED_FIELD = "untyped field"

# What a file quotes can steer a terminal, or turn the text around it.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong at one place of a file; `line` and `column` count from 1. `about`: what it
    is about, where a program has to know: `UNTYPED_FIELD`."""

    file: str
    line: int
    column: int
    message: str
    suggestion: str = ""
    about: str = field(default="", compare=False)

    def __str__(self) -> str:
        tail = f" - {self.suggestion}" if self.suggestion else ""
        told = f"{self.file}:{self.line}:{self.column}: {self.message}{tail}"
        return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], told)


class FileProblems(ConfigurationError):  # noqa: N818 - a list of problems, each one's own
    """A file with one or more problems; all of them are reported, in the order of the file."""

    def __init__(self, problems: list[Problem], hint: str = "") -> None:
        self.problems = tuple(sorted(problems))
        facts = "\n".join(str(problem) for problem in self.problems)
        super().__init__(facts, hint or "correct the file, then run the command again")
