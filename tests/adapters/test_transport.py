"""Bodies that are too long, packed, torn, slow or strange; headers that cannot be sent."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from adapters.calls import AmbiguousWrite, Call, ErrorTable, Reading
from adapters.http import HttpClient, HttpSettings, Timing
from connector.errors import ConfigurationError, ProtocolError, UnavailableError

READ = Call("GET", "/things")
WRITE = Call("POST", "/things", body=b"{}", writes=True)
MEGABYTE = 1024 * 1024
Talk = Callable[[socket.socket], None]


class RawServer:
    """Answers each request with whatever bytes `talk` sends, then hangs up."""

    def __init__(self, talk: Talk) -> None:
        self.requests: list[bytes] = []
        self._talk = talk
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self.requests.append(connection.recv(65536))
                try:
                    self._talk(connection)
                except OSError:
                    continue  # the client has hung up, which some tests are about


@pytest.fixture
def client_to(fake_time: Any) -> Iterator[Any]:
    opened: list[Any] = []

    def make(talk: Talk, timing: Timing | None = None, **settings: Any) -> HttpClient:
        server = RawServer(talk)
        client = HttpClient(
            "acme",
            lambda: server.url,
            ErrorTable(lambda call, answer: Reading(), {}, {}),
            settings=HttpSettings(**settings),
            timing=timing or Timing(fake_time.clock, fake_time.sleep, fake_time.chance),
        )
        client.server = server  # type: ignore[attr-defined]
        opened.extend((client, server))
        return client

    yield make
    for each in opened:
        each.close()


def head(*lines: str) -> bytes:
    return "\r\n".join(("HTTP/1.1 200 OK", *lines, "", "")).encode()


def saying(body: bytes, *lines: str) -> Talk:
    def talk(connection: socket.socket) -> None:
        connection.sendall(head(f"Content-Length: {len(body)}", *lines) + body)

    return talk


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def test_a_body_without_a_length_is_read_to_its_end(client_to: Any) -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(head("Connection: close") + b"whole")

    assert client_to(talk).send(READ).body == b"whole"


def test_a_body_in_chunks_is_put_together(client_to: Any) -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(head("Transfer-Encoding: chunked"))
        for part in (b"in ", b"three ", b"parts"):
            connection.sendall(chunk(part))
        connection.sendall(chunk(b""))

    assert client_to(talk).send(READ).body == b"in three parts"


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(b"fine" * 1000)),
        ("x-gzip", gzip.compress(b"fine" * 500) + gzip.compress(b"fine" * 500)),
        ("deflate", zlib.compress(b"fine" * 1000)),
        ("identity", b"fine" * 1000),
    ],
    ids=["gzip", "two-members", "zlib", "plain"],
)
def test_a_packed_body_is_unpacked(coding: str, packed: bytes, client_to: Any) -> None:
    client = client_to(saying(packed, f"Content-Encoding: {coding}"))
    assert client.send(READ).body == b"fine" * 1000
    assert b"Accept-Encoding: gzip\r\n" in client.server.requests[0]


def test_an_empty_body_may_be_called_packed(client_to: Any) -> None:
    assert client_to(saying(b"", "Content-Encoding: gzip")).send(READ).body == b""


def flood(connection: socket.socket) -> None:
    """Two gigabytes in chunks, unless somebody hangs up."""
    connection.sendall(head("Transfer-Encoding: chunked"))
    piece = chunk(b"x" * MEGABYTE)
    for _ in range(2048):
        connection.sendall(piece)


def announced(connection: socket.socket) -> None:
    connection.sendall(head(f"Content-Length: {2 << 30}"))
    for _ in range(2048):
        connection.sendall(b"x" * MEGABYTE)


def bomb(connection: socket.socket) -> None:
    """Two gigabytes of nothing in two megabytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join(packer.compress(bytes(MEGABYTE)) for _ in range(2048)) + packer.flush()
    saying(packed, "Content-Encoding: gzip")(connection)


def bombs(connection: socket.socket) -> None:
    """Many small ones behind each other."""
    saying(gzip.compress(bytes(900_000)) * 500, "Content-Encoding: gzip")(connection)


@pytest.mark.parametrize("talk", [flood, announced, bomb, bombs])
def test_two_gigabytes_end_at_the_limit(talk: Talk, client_to: Any) -> None:
    client = client_to(talk, body_limit=4 * MEGABYTE)
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError, match="too long"):
            client.send(READ)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 32 * MEGABYTE
    assert len(client.server.requests) == 1


def test_a_write_whose_answer_is_too_long_is_in_doubt(client_to: Any) -> None:
    with pytest.raises(AmbiguousWrite):
        client_to(flood, body_limit=MEGABYTE).send(WRITE)


@pytest.mark.parametrize(
    "lines", [("Content-Encoding: br",), ("Content-Encoding: gzip, gzip",)], ids=str
)
def test_a_coding_that_was_not_asked_for_is_refused(lines: tuple[str], client_to: Any) -> None:
    with pytest.raises(ProtocolError, match="unreadable"):
        client_to(saying(b"what", *lines)).send(READ)


def test_a_damaged_packed_body_is_refused(client_to: Any) -> None:
    with pytest.raises(ProtocolError, match="unreadable"):
        client_to(saying(b"no gzip at all", "Content-Encoding: gzip")).send(READ)


def test_a_packed_body_that_ends_early_is_asked_for_again(client_to: Any) -> None:
    packed = gzip.compress(b"half of it is not enough")[:-9]
    # More than two attempts: one may be lost on a connection that the server has just closed.
    client = client_to(saying(packed, "Content-Encoding: gzip"), attempts=5)
    with pytest.raises(UnavailableError, match="could not be reached"):
        client.send(READ)
    assert len(client.server.requests) >= 2


@pytest.mark.parametrize("coding", ["identity", "gzip"])
@pytest.mark.parametrize("framing", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
def test_a_body_that_trickles_ends_by_the_total_time(
    coding: str, framing: str, client_to: Any
) -> None:
    """Each byte comes well within the timeout of a read."""
    stop = threading.Event()

    def trickle(connection: socket.socket) -> None:
        connection.sendall(head(framing, f"Content-Encoding: {coding}"))
        for byte in gzip.compress(bytes(range(256)) * 100):
            if stop.wait(0.02):
                return
            letter = bytes([byte])
            connection.sendall(chunk(letter) if "chunked" in framing else letter)

    client = client_to(
        trickle, Timing(), timeout_seconds=5, body_seconds=0.3, total_seconds=0.1, attempts=1
    )
    begun = time.monotonic()
    try:
        with pytest.raises(UnavailableError, match="ReadTimeout"):
            client.send(READ)
    finally:
        stop.set()
    assert time.monotonic() - begun < 3


def test_headers_that_no_server_should_send_are_an_error_of_ours(client_to: Any) -> None:
    lines = ("Content-Length: 1", "Content-Length: 2")

    def talk(connection: socket.socket) -> None:
        connection.sendall(head(*lines) + b"xx")

    with pytest.raises(UnavailableError, match="could not be reached"):
        client_to(talk, attempts=1).send(READ)


@pytest.mark.parametrize("value", ["a\r\nX-Other: 1", "a\nb", "钥匙-4711", " 4711", "47\x0011"])
def test_a_header_that_cannot_be_sent_is_named_without_its_value(
    value: str, client_to: Any
) -> None:
    client = client_to(saying(b""))
    with pytest.raises(ConfigurationError, match="X-Key") as caught:
        client.send(Call("POST", "/", headers={"X-Key": value}, writes=True))
    assert "4711" not in caught.value.message + caught.value.hint
    assert client.server.requests == []
