"""Making findings: one line each, and a part that breaks becomes one too."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from connector.errors import HighseasError
from connector.ports import Finding

_NAMED = 12


def ok(part: str, text: str) -> Finding:
    return Finding(part, "ok", text)


def warning(part: str, text: str) -> Finding:
    return Finding(part, "warning", text)


def failed(part: str, text: str) -> Finding:
    return Finding(part, "failed", text)


def untried(part: str, text: str) -> Finding:
    return Finding(part, "untried", text)


def tried(part: str, trial: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """The findings of a trial; what it raises is the last of them."""
    try:
        yield from trial()
    except HighseasError as error:
        yield failed(part, explained(error))


def explained(error: HighseasError) -> str:
    """An error with its help, but for the help to run the very command that this is."""
    helps = [part for part in error.hint.split("; ") if part and "`highseas check`" not in part]
    return "; ".join([error.message, *helps])


def counted(number: int, word: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def listing(names: list[str]) -> str:
    """Some of the names, and how many there are besides."""
    shown = ", ".join(names[:_NAMED])
    rest = len(names) - _NAMED
    return f"{shown} and {rest} more" if rest > 0 else shown
