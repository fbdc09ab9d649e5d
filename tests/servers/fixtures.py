"""Real servers for tests: `pytest_plugins = ["tests.servers.fixtures"]` in a module brings them.

Each is started by the first test of a process that asks for it and serves the others too, which
find it empty.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.faulty_proxy import FaultyProxy
from tests.servers.kinto import KintoServer
from tests.servers.places import environment
from tests.servers.tryton import TrytonServer


@pytest.fixture(scope="session")
def kinto_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KintoServer]:
    server = KintoServer(environment("kinto"), tmp_path_factory.mktemp("kinto"))
    yield server
    server.stop()


@pytest.fixture
def kinto(kinto_server: KintoServer) -> KintoServer:
    """A real Kinto without a record."""
    kinto_server.reset()
    return kinto_server


@pytest.fixture(scope="session")
def tryton_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrytonServer]:
    server = TrytonServer(environment("tryton"), tmp_path_factory.mktemp("tryton"))
    yield server
    server.stop()


@pytest.fixture
def tryton(tryton_server: TrytonServer) -> TrytonServer:
    """A real Tryton without a customer."""
    tryton_server.reset()
    return tryton_server


@pytest.fixture(scope="session")
def proxy_before_kinto(
    kinto_server: KintoServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FaultyProxy]:
    folder = tmp_path_factory.mktemp("proxy")
    proxy = FaultyProxy(environment("mitmproxy"), folder, kinto_server.url)
    yield proxy
    proxy.stop()


@pytest.fixture
def kinto_proxy(kinto: KintoServer, proxy_before_kinto: FaultyProxy) -> FaultyProxy:
    """A proxy before `kinto` that breaks nothing yet."""
    proxy_before_kinto.plan()
    return proxy_before_kinto


@pytest.fixture(scope="session")
def proxy_before_tryton(
    tryton_server: TrytonServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FaultyProxy]:
    folder = tmp_path_factory.mktemp("proxy")
    proxy = FaultyProxy(environment("mitmproxy"), folder, tryton_server.url)
    yield proxy
    proxy.stop()


@pytest.fixture
def tryton_proxy(tryton: TrytonServer, proxy_before_tryton: FaultyProxy) -> FaultyProxy:
    """A proxy before `tryton` that breaks nothing yet."""
    proxy_before_tryton.plan()
    return proxy_before_tryton
