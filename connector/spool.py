"""Raw pages on disk, as they came, until they are staged. Knows nothing about what they mean.

One directory an object: zstd NDJSON parts and a manifest that names the parts that count. A part
is on disk for good before the manifest names it, so a killed pull loses the pages of at most one
part and doubles none.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

import msgspec
import zstandard

from connector.ports import Page
from connector.row_shape import RowCheck

MANIFEST = "manifest.json"
PART_ROWS = 25_000
PART_SECONDS = 10
# A line of a sweep must stay shorter than what the reader takes as one JSON object (16 MB).
SWEEP_LINE_IDS = 10_000
RESUME_FOR = timedelta(hours=12)
_FORMAT = 1


class Manifest(msgspec.Struct):
    """What is kept of one walk over one object. `line` numbers every line that was ever kept.
    `present` counts the ids that its pages named as existing; 0 is no sweep at all."""

    walk: str
    object: str
    fields: tuple[str, ...]
    since: datetime | None
    started_at: datetime
    unseen: tuple[str, ...]
    resume: str | None = None
    watermark: datetime | None = None
    parts: tuple[str, ...] = ()
    line: int = 0
    pages: int = 0
    rows: int = 0
    deleted: int = 0
    rejected: int = 0
    blank: int = 0
    present: int = 0
    done: bool = False
    recipe: str = ""
    format: int = _FORMAT


class Walk:
    """One walk being kept. Used by one thread."""

    def __init__(self, directory: Path, manifest: Manifest, now: Callable[[], datetime]) -> None:
        self.directory = directory
        self.manifest = manifest
        self._now = now
        self._part: BinaryIO | None = None
        self._packer = zstandard.ZstdCompressor(level=1).compressobj()
        self._part_rows = 0
        self._part_since = now()

    def files(self) -> list[Path]:
        return [self.directory / name for name in self.manifest.parts]

    def keep(self, page: Page, check: RowCheck) -> None:
        """Keep one page: each row or why it was rejected, then what was deleted, then which ids
        exist."""
        manifest = self.manifest
        text = b"".join(page.rows)
        rejects = check.rejects(page.rows, text)
        rows = page.rows
        if b"\n" in text or b"\r" in text:
            rows = tuple(
                row if place in rejects else _one_line(row) for place, row in enumerate(rows)
            )
        first = manifest.line + 1
        lines = [b'{"n":%d,"r":%b}\n' % (first + place, row) for place, row in enumerate(rows)]
        for place, reject in rejects.items():
            lines[place] = b'{"n":%d,"x":%b}\n' % (first + place, msgspec.json.encode(reject))
        first += len(rows)
        lines += [
            b'{"n":%d,"d":%b}\n' % (first + place, msgspec.json.encode(identifier))
            for place, identifier in enumerate(page.deleted)
        ]
        first += len(page.deleted)
        lines += [
            b'{"n":%d,"p":%b}\n' % (first + place, msgspec.json.encode(identifiers))
            for place, identifiers in enumerate(_shares(page.present))
        ]
        manifest.line += len(lines)
        manifest.rejected += len(rejects)
        manifest.blank += sum(not reject.id for reject in rejects.values())
        manifest.rows += len(page.rows)
        manifest.deleted += len(page.deleted)
        manifest.present += len(page.present)
        manifest.pages += 1
        manifest.resume = page.resume
        manifest.unseen = check.unseen
        manifest.watermark = _later(manifest.watermark, page.watermark)
        self._write(lines)

    def _write(self, lines: list[bytes]) -> None:
        if lines:
            if self._part is None:
                self._open_part()
            assert self._part is not None  # noqa: S101 - for the type checker
            self._part.write(self._packer.compress(b"".join(lines)))
            self._part_rows += len(lines)
        waited = (self._now() - self._part_since).total_seconds()
        if self._part_rows >= PART_ROWS or waited >= PART_SECONDS:
            self.checkpoint()

    def _open_part(self) -> None:
        name = f"{len(self.manifest.parts) + 1:05d}.ndjson.zst"
        self._part = (self.directory / name).open("wb")
        self._packer = zstandard.ZstdCompressor(level=1).compressobj()
        self.manifest.parts += (name,)

    def checkpoint(self) -> None:
        """Make all pages kept so far durable, data first."""
        if self._part is not None:
            self._part.write(self._packer.flush())
            _sync(self._part)
            self._part.close()
            self._part = None
        self._part_rows = 0
        self._part_since = self._now()
        _write_manifest(self.directory, self.manifest)

    def finish(self) -> None:
        """The last page has been kept."""
        self.manifest.done = True
        self.manifest.resume = None
        self.checkpoint()

    def remove(self, keep_as: Path | None = None) -> None:
        """Forget the walk once it is staged, or move its pages aside."""
        if keep_as is None:
            shutil.rmtree(self.directory)
            return
        keep_as.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.directory.rename(keep_as / f"{self.directory.name}-{self.manifest.walk}")


class Spool:
    """The directory that holds the walks of one workspace."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def open(
        self,
        name: str,
        fields: tuple[str, ...],
        since: datetime | None,
        now: Callable[[], datetime],
        loaded: str = "",
        recipe: str = "",
    ) -> Walk:
        """Go on with the walk on disk if it asks for the same in the same way (`recipe`), is young
        and not yet loaded."""
        directory = self.root / f"object-{quote(name, safe='')}"
        kept = _read_manifest(directory)
        same = kept is not None and kept.recipe == recipe and kept.walk != loaded
        if kept is not None and same and _continues(kept, fields, since, now()):
            for path in directory.iterdir():
                if path.name != MANIFEST and path.name not in kept.parts:
                    path.unlink()
            return Walk(directory, kept, now)
        return self.restart(name, fields, since, now, recipe)

    def restart(
        self,
        name: str,
        fields: tuple[str, ...],
        since: datetime | None,
        now: Callable[[], datetime],
        recipe: str = "",
    ) -> Walk:
        """Begin anew; what was kept of this object is removed."""
        directory = self.root / f"object-{quote(name, safe='')}"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True, mode=0o700)
        manifest = Manifest(uuid.uuid4().hex, name, fields, since, now(), fields, recipe=recipe)
        return Walk(directory, manifest, now)


def _continues(
    kept: Manifest, fields: tuple[str, ...], since: datetime | None, moment: datetime
) -> bool:
    fresh = timedelta() <= moment - kept.started_at <= RESUME_FOR
    return fresh and kept.fields == fields and kept.since == since


def _read_manifest(directory: Path) -> Manifest | None:
    try:
        manifest = msgspec.json.decode((directory / MANIFEST).read_bytes(), type=Manifest)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    complete = all((directory / name).is_file() for name in manifest.parts)
    return manifest if manifest.format == _FORMAT and complete else None


def _write_manifest(directory: Path, manifest: Manifest) -> None:
    temporary = directory / f"{MANIFEST}.new"
    with temporary.open("wb") as file:
        file.write(msgspec.json.encode(manifest))
        _sync(file)
    temporary.replace(directory / MANIFEST)
    sync_directory(directory)


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def sync_directory(directory: Path) -> None:
    """Make a rename in this directory durable."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _shares(identifiers: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for begin in range(0, len(identifiers), SWEEP_LINE_IDS):
        yield identifiers[begin : begin + SWEEP_LINE_IDS]


def _one_line(row: bytes) -> bytes:
    """The row as it came, but for the space between its tokens."""
    return msgspec.json.format(row, indent=-1)


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((moment for moment in (one, other) if moment is not None), default=None)
