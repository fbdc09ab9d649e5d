"""Which files a policy is made of: the file itself and the chain of those that it extends."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from policies.errors import ConfigurationError, FileProblems
from policies.library import library_names, library_text
from policies.loader.draft import Draft, check_nothing_gone, draft_of, laid_upon
from policies.loader.ledger import Ledger, Place
from policies.loader.schema import VERSION, PolicyShape
from policies.loader.upgrade import upgraded
from policies.signs import wide_sign
from policies.suggestion import closest, nearest
from policies.validation import problems_from_validation, refused_parts
from policies.yaml_source import Document, PathKey, read_yaml, read_yaml_file

_LIBRARY = "library/"
_FORMS = "write library/NAME@1, or the name of a file beside this one"


@dataclass(frozen=True, slots=True)
class Layer:
    """One file. `folder`: where its own files stand. Where its shape is wrong, `whole` is the file
    as it was written, `lost` is what was left out of it, and `shape` is that of the rest; None when
    there is no rest that can be read."""

    document: Document
    shape: PolicyShape | None
    folder: Path | None
    whole: Document | None = None
    lost: frozenset[PathKey] = frozenset()


def read_layers(document: Document, folder: Path | None, ledger: Ledger) -> tuple[Layer, ...]:
    """The file and what it extends, itself first. Whatever is wrong is in the ledger."""
    layers: list[Layer] = []
    seen = [_identity(document.name, folder)]
    following: tuple[Document, Path | None] | None = (document, folder)
    while following is not None:
        layer = _layer(*following, ledger)
        layers.append(layer)
        following = _extended(layer, seen, ledger)
    return tuple(layers)


def merged(layers: tuple[Layer, ...], ledger: Ledger, *, partial: bool = False) -> Draft:
    """The parts of all files, each replaced by the one on top; all must have a good shape.
    `partial`: there is a file below them that could not be read."""
    *above, lowest = (
        draft_of(layer.shape, Place(layer.document), ledger)
        for layer in layers
        if layer.shape is not None
    )
    lowest.partial = partial
    check_nothing_gone(lowest, ledger)
    draft = lowest
    for own in reversed(above):
        draft = laid_upon(draft, own, ledger)
    return draft


def _layer(document: Document, folder: Path | None, ledger: Ledger) -> Layer:
    if not isinstance(document.value, dict):
        message = "a policy file holds keys and values"
        hint = wide_sign(str(document.value)) or f"begin with policy: {VERSION}"
        ledger.add(Place(document), message, hint)
        return Layer(document, None, folder)
    current = upgraded(document, ledger)
    if current is None:
        return Layer(document, None, folder)
    ledger.problems += filter(None, map(current.blank_by_comment, current.spans))
    try:
        return Layer(current, PolicyShape.model_validate(current.value), folder)
    except ValidationError as error:
        ledger.problems += problems_from_validation(current, error, PolicyShape)
        return _rest(current, refused_parts(current, error), folder)


def _rest(document: Document, lost: frozenset[PathKey], folder: Path | None) -> Layer:
    """A file without what was refused, so that the rest of it can be checked at the same time."""
    rest = document.without(lost)
    rest.value["policy"] = VERSION
    shape = PolicyShape.model_validate(rest.value)
    return Layer(rest, shape, folder, document, lost)


def _extended(layer: Layer, seen: list[str], ledger: Ledger) -> tuple[Document, Path | None] | None:
    value = layer.document.value
    name = value.get("extends") if isinstance(value, dict) else None
    if not isinstance(name, str):
        return None
    place = Place(layer.document, ("extends",))
    folder = _folder_of(layer, name)
    identity = _identity(name, folder)
    if identity in seen:
        ledger.add(place, f"'{name}' extends itself", "one of these files must stand alone")
        return None
    seen.append(identity)
    try:
        found = _library_document(name) if name.startswith(_LIBRARY) else _file(name, folder)
    except FileProblems as refusal:
        ledger.problems += refusal.problems
        return None
    except ConfigurationError as refusal:
        ledger.add(place, refusal.message, refusal.hint)
        return None
    return found, folder and (folder / name).parent


def _folder_of(layer: Layer, name: str) -> Path | None:
    return None if name.startswith(_LIBRARY) else layer.folder


def _identity(name: str, folder: Path | None) -> str:
    return name if folder is None else str((folder / name).resolve())


def _library_document(name: str) -> Document:
    wanted = name.removeprefix(_LIBRARY)
    if wanted in _editions():
        return read_yaml(library_text(wanted), f"{name}.yaml")
    stem, _, version = wanted.partition("@")
    choices = ", ".join(_LIBRARY + item for item in _editions() if item.partition("@")[0] == stem)
    if choices and not version:
        raise ConfigurationError("a policy of the library is named with its version", choices)
    if choices:
        raise ConfigurationError(f"'{stem}' is not in the library in version {version}", choices)
    message = f"the library has no policy '{stem}' to build upon"
    raise ConfigurationError(message, _meant(stem) or nearest(name, _in_library()))


def _editions() -> list[str]:
    """What can be built upon, as its meaning never changes: `NAME@VERSION`."""
    return [name for name in library_names() if "@" in name]


def _in_library() -> list[str]:
    return [f"{_LIBRARY}{name}" for name in _editions()]


def _meant(name: str) -> str:
    """The policy of the library that was meant, by its whole name; empty if none comes near."""
    whole = {item.partition("@")[0]: item for item in library_names()}
    stem = closest(name.partition("@")[0], whole)
    if not stem:
        return ""
    if whole[stem] in _editions():
        return f"did you mean '{_LIBRARY}{whole[stem]}'?"
    copied = f"{_LIBRARY}{stem} is to start from, `highseas init` copies it"
    return f"{copied}; to build upon: {', '.join(_in_library())}"


def _file(name: str, folder: Path | None) -> Document:
    if not name.strip() or PurePosixPath(name).is_absolute() or "\0" in name:
        raise ConfigurationError("a policy extends a file by a relative path", _FORMS)
    meant = _meant(name) if "/" not in name else ""
    if folder is None:
        message = "only a policy in a file can extend another file"
        raise ConfigurationError(message, meant or _FORMS)
    try:
        return read_yaml_file(folder / name, name)
    except FileProblems:
        raise
    except ConfigurationError as refusal:
        hint = "; ".join(filter(None, (refusal.hint, meant)))
        raise ConfigurationError(refusal.message, hint) from None
