import sys
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend

from connector.errors import ConfigurationError
from connector.workspace import resolve_secret


class Memory(KeyringBackend):
    """A store of its own, so that no test reads the developer's."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.entries[service, username]


@pytest.fixture(autouse=True)
def store() -> Memory:
    memory = Memory()
    keyring.set_keyring(memory)
    return memory


def test_a_secret_comes_from_the_keyring(tmp_path: Path, store: Memory) -> None:
    store.set_password("highseas/zoho", "acme", "s3")
    assert resolve_secret("keyring:highseas/zoho/acme", tmp_path) == "s3"


def test_a_secret_that_is_not_there_says_how_to_store_it(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match="keyring:zoho/acme is not in the keyring"
    ) as caught:
        resolve_secret("keyring:zoho/acme", tmp_path)
    assert caught.value.hint == "store it with `keyring set zoho acme`"


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ConfigurationError, match="needs the keyring library") as caught:
        resolve_secret("keyring:zoho/acme", tmp_path)
    assert "highseas[keyring]" in caught.value.hint
