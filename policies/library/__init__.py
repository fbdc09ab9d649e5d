"""The policies that come with the product: to start from, or (`NAME@VERSION`) to build upon."""

from __future__ import annotations

from functools import cache
from importlib import resources

from policies.errors import ConfigurationError
from policies.suggestion import nearest


@cache
def library_names() -> tuple[str, ...]:
    """The names of the files, `NAME` or `NAME@VERSION`."""
    files = (item.name for item in resources.files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in files if name.endswith(".yaml")))


def library_text(name: str) -> str:
    """The file of a policy of the library."""
    if name not in library_names():
        hint = nearest(name, library_names())
        raise ConfigurationError(f"the library has no policy '{name}'", hint)
    return (resources.files(__name__) / f"{name}.yaml").read_text("utf-8")
