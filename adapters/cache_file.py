"""One small file in the user's cache directory (0600), shared by processes under a lock."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Generic, TypeVar

import msgspec
from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from connector.errors import ConfigurationError, UnavailableError

S = TypeVar("S", bound=msgspec.Struct)
_POLL_SECONDS = 0.01


class CacheFile(Generic[S]):
    """Holds one struct. A file that cannot be read as that struct counts as empty."""

    def __init__(
        self, folder: Path | None, default_folder: str, name: str, shape: type[S], patience: float
    ) -> None:
        """`patience`: how many seconds to wait for another process that holds the lock."""
        place = folder or user_cache_path("highseas", appauthor=False) / default_folder
        self._shape = shape
        self._file = place / f"{name}.json"
        try:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"the cache folder cannot be made: {error.strerror}",
                "make the user's cache directory writable, or set XDG_CACHE_HOME to one that is",
            ) from None
        self.lock = FileLock(
            self._file.with_suffix(".lock"),
            timeout=patience,
            mode=0o600,
            poll_interval=_POLL_SECONDS,
        )

    @contextmanager
    def locked(self, waiting_for: str) -> Iterator[None]:
        """Raises UnavailableError that says `waiting_for` when another process does not let go."""
        try:
            held = self.lock.acquire()
        except Timeout:
            raise UnavailableError(
                f"another process has been {waiting_for} for too long",
                "see whether another highseas hangs, then run the command again",
            ) from None
        with held:
            yield

    def load(self) -> S:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=self._shape)
        except (OSError, ValueError):
            return self._shape()

    def store(self, state: S, *, durable: bool = False) -> None:
        """Replace the file in one step; call with the lock held. `durable`: nobody could get back
        what would be lost with the machine's power."""
        draft = self._file.with_suffix(f".{os.getpid()}.tmp")
        with suppress(FileNotFoundError):
            draft.unlink()
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.encode(state))
            if durable:
                file.flush()
                os.fsync(file.fileno())
        draft.replace(self._file)
