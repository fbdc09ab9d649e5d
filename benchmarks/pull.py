"""How fast a pull is beside a client that only reads bytes.

One server process gives pages of 200 records of about 0.8 KB, each answer 50 ms late. The bare
client (urllib3, parses nothing) and the product's `pull()` fetch the same pages, equally many at
a time, each in a process of its own that only this run feeds.

    python benchmarks/pull.py [--records 1000000] [--shards 20] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import urllib3

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from adapters.calls import Call, ErrorTable, Reading
from adapters.http import HttpClient, HttpSettings
from connector.mapping import compile_mapping
from connector.ports import Page, PullRequest
from connector.pull import pull
from connector.warehouse import Warehouse
from connector.workspace import Workspace, WorkspaceFile

PAGE_ROWS = 200
LATENCY_SECONDS = 0.05
BARS = {"pages_ratio": 0.9, "cpu_us_per_record": 25.0, "peak_mb": 500.0}
PLACEHOLDER = b"#########"
COLUMNS = {
    "name": "Account_Name",
    "owner_id": "Owner.id",
    "created_at": "Created_Time",
    "modified_at": "Modified_Time",
    "version": "Modified_Time",
    "tags": "Tag[].name",
    "status": "$status_field",
    "phone": "Phone",
    "country": "Billing_Country",
    "industry": "Industry",
}


class Info(msgspec.Struct, gc=False):
    more: bool
    next: str | None = None


class Listing(msgspec.Struct, gc=False):
    data: list[msgspec.Raw]
    info: Info


def encoded_page() -> bytes:
    """A page whose ids wait for the page's number."""
    rows = []
    for number in range(PAGE_ROWS):
        row: dict[str, Any] = {
            "id": f"4150868{PLACEHOLDER.decode()}{number:03d}",
            "Account_Name": f"Machine Works {number} 机械有限公司",
            "Owner": {
                "id": f"41508680000002610{number % 40:02d}",
                "name": "Li Wei",
                "email": "li@example.org",
            },
            "Created_Time": f"2024-{number % 12 + 1:02d}-11T08:30:00+08:00",
            "Modified_Time": f"2026-{number % 9 + 1:02d}-21T17:05:09+08:00",
            "Tag": [{"name": "key-account", "id": "41508680001"}] if number % 7 == 0 else [],
            "Stage": ("new", "active", "dormant")[number % 3],
            "Phone": "+86 21 5555 0100",
            "Billing_Country": "CN",
            "Industry": "Machinery",
            "Annual_Revenue": 1250000.5,
        }
        row |= {f"Custom_{extra:02d}": f"value {extra} {number}" for extra in range(14)}
        rows.append(row)
    return json.dumps(rows, ensure_ascii=False).encode()


class Server:
    """HTTP/1.1 with keep-alive and nothing else."""

    def __init__(self, pages: int) -> None:
        self._rows = encoded_page()
        self._pages = pages

    def answer(self, target: str) -> bytes:
        shard, number = (int(part) for part in target.strip("/").split("/"))
        rows = self._rows.replace(PLACEHOLDER, b"%03d%06d" % (shard, number))
        more = number + 1 < self._pages
        info = json.dumps({"more": more, "next": str(number + 1) if more else None}).encode()
        body = b'{"data":%b,"info":%b}' % (rows, info)
        return (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            % (
                len(body),
                body,
            )
        )

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                due = asyncio.get_running_loop().time() + LATENCY_SECONDS
                answer = self.answer(head.split(b" ", 2)[1].decode())
                await asyncio.sleep(due - asyncio.get_running_loop().time())
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def serve(self) -> None:
        server = await asyncio.start_server(self.talk, "127.0.0.1", 0, backlog=256)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


class Adapter:
    """Only what `pull()` asks of a CRM, over the adapters' own HTTP client."""

    def __init__(self, port: int, shards: int) -> None:
        table = ErrorTable(read=lambda _call, _answer: Reading(), codes={}, statuses={})
        settings = HttpSettings(concurrency=shards)
        origin = f"http://127.0.0.1:{port}"
        self._http = HttpClient("bench", lambda: origin, table, settings=settings)
        self._decoder = msgspec.json.Decoder(Listing)

    def pull(self, request: PullRequest) -> Iterator[Page]:
        shard, number = request.object.removeprefix("Shard"), request.resume or "0"
        while True:
            answer = self._http.send(Call("GET", f"/{int(shard)}/{number}"))
            listing = self._decoder.decode(answer.body)
            following = listing.info.next
            yield Page(request.object, tuple(map(bytes, listing.data)), resume=following)
            if following is None:
                return
            number = following


def run_bare(port: int, shards: int, pages: int) -> dict[str, Any]:
    pool = urllib3.PoolManager(maxsize=shards)

    def walk(shard: int) -> int:
        return sum(
            len(pool.request("GET", f"http://127.0.0.1:{port}/{shard}/{number}").data)
            for number in range(pages)
        )

    wall, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(shards) as threads:
        size = sum(threads.map(walk, range(shards)))
    return {
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "bytes": size,
        "peak_mb": _peak_mb(),
    }


def run_product(port: int, shards: int, pages: int) -> dict[str, Any]:
    customers = [
        {"object": f"Shard{number:02d}", "id": "id", "columns": COLUMNS} for number in range(shards)
    ]
    config = {
        "workspace": 1,
        "name": "bench",
        "timezone": "Asia/Shanghai",
        "crm": {"adapter": "bench", "status_field": "Stage"},
    }
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder), WorkspaceFile.model_validate(config))
        warehouse = Warehouse(workspace)
        adapter: Any = Adapter(port, shards)
        text = json.dumps({"mapping": 1, "customers": customers})
        wall, cpu = time.perf_counter(), time.process_time()
        mapping = compile_mapping(
            text, "mapping.yaml", zone=workspace.zone, status_field=workspace.status_field
        )
        report = pull(
            workspace, adapter, warehouse, mapping=mapping, now=partial(datetime.now, UTC)
        )
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        with warehouse.reading() as connection:
            row = connection.execute(
                "SELECT count(*), count(DISTINCT key) FROM customers"
            ).fetchone()
        assert row == (shards * pages * PAGE_ROWS,) * 2, row
        size = warehouse.path.stat().st_size
    return {
        "wall": wall,
        "fetch": report.fetch_seconds,
        "cpu": cpu,
        "peak_mb": _peak_mb(),
        "warehouse_mb": size / 1e6,
    }


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _pin(cores: set[int]) -> None:
    usable = os.sched_getaffinity(0)
    if cores <= usable:
        os.sched_setaffinity(0, cores)


def measure(records: int, shards: int) -> dict[str, Any]:
    """Server on two cores, client on two others; the bare client before and after the product."""
    pages = max(1, records // (shards * PAGE_ROWS))
    own = [sys.executable, str(Path(__file__).resolve()), "--pages", str(pages)]
    command = [*own, "--role", "server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        client = [*own, "--port", port, "--shards", str(shards), "--role"]
        try:
            before = _run([*client, "bare"])
            product = _run([*client, "product"])
            after = _run([*client, "bare"])
        finally:
            server.terminate()
    total = pages * shards
    bare_wall = min(before["wall"], after["wall"])
    return {
        "records": total * PAGE_ROWS,
        "pages": total,
        "shards": shards,
        "bare_pages_per_second": total / bare_wall,
        "pages_per_second": total / product["fetch"],
        "pages_per_second_with_staging": total / product["wall"],
        "pages_ratio": bare_wall / product["fetch"],
        "pages_ratio_with_staging": bare_wall / product["wall"],
        "wall_seconds": product["wall"],
        "fetch_seconds": product["fetch"],
        "staging_seconds": product["wall"] - product["fetch"],
        "cpu_us_per_record": 1e6 * product["cpu"] / (total * PAGE_ROWS),
        "bare_cpu_us_per_record": 1e6 * min(before["cpu"], after["cpu"]) / (total * PAGE_ROWS),
        "peak_mb": product["peak_mb"],
        "warehouse_mb": product["warehouse_mb"],
        "bytes_per_record": before["bytes"] / (total * PAGE_ROWS),
        "bars": BARS,
    }


def _run(command: list[str]) -> dict[str, Any]:
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    result: dict[str, Any] = json.loads(answer.stdout)
    return result


def show(figures: dict[str, Any]) -> None:
    sizes = f"{figures['records']:,} records in {figures['pages']:,} pages"
    print(f"{sizes}, {figures['shards']} at a time, {figures['bytes_per_record']:.0f} bytes each")
    print(
        f"  wall {figures['wall_seconds']:.2f} s (fetch {figures['fetch_seconds']:.2f}, "
        f"staging {figures['staging_seconds']:.2f})"
    )
    print(
        f"  pages per second  {figures['pages_per_second']:.0f}, bare urllib3 "
        f"{figures['bare_pages_per_second']:.0f}: {figures['pages_ratio']:.1%} (bar >= 90 %), "
        f"with staging {figures['pages_ratio_with_staging']:.1%}"
    )
    print(
        f"  CPU per record    {figures['cpu_us_per_record']:.1f} us (bar <= 25), "
        f"bare {figures['bare_cpu_us_per_record']:.1f} us"
    )
    print(f"  peak memory       {figures['peak_mb']:.0f} MB (bar <= 500)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--shards", type=int, default=10, help="objects pulled side by side")
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--role",
        choices=("run", "server", "bare", "product"),
        default="run",
        help=argparse.SUPPRESS,
    )
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--pages", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.role == "server":
        _pin({2, 3})
        asyncio.run(Server(options.pages).serve())
    elif options.role == "run":
        figures = measure(options.records, options.shards)
        print(json.dumps(figures, indent=2)) if options.json else show(figures)
    else:
        _pin({0, 1})
        run = run_bare if options.role == "bare" else run_product
        print(json.dumps(run(options.port, options.shards, options.pages)))


if __name__ == "__main__":
    main()
