"""Pages are kept durably and once, whatever happens between them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import zstandard

from connector.ports import Page
from connector.row_shape import RowCheck, RowShape
from connector.spool import MANIFEST, PART_SECONDS, Spool, Walk

SHAPE = RowShape("Accounts", "id", ["Name"])
START = datetime(2026, 5, 14, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.moment = START

    def __call__(self) -> datetime:
        return self.moment


def open_walk(root: Path, clock: Clock, **changes: Any) -> Walk:
    asked: dict[str, Any] = {"fields": SHAPE.fields, "since": None, **changes}
    return Spool(root).open("Accounts", asked["fields"], asked["since"], clock, **_loaded(changes))


def _loaded(changes: dict[str, Any]) -> dict[str, str]:
    return {"loaded": changes["loaded"]} if "loaded" in changes else {}


def page(*ids: str, resume: str | None = "more", **changes: Any) -> Page:
    rows = tuple(json.dumps({"id": identifier, "Name": "x"}).encode() for identifier in ids)
    return Page("Accounts", changes.pop("rows", rows), resume=resume, **changes)


def keep(walk: Walk, *pages: Page) -> None:
    check = RowCheck(SHAPE, walk.manifest.unseen)
    for item in pages:
        walk.keep(item, check)


def lines(walk: Walk) -> list[dict[str, Any]]:
    text = b"".join(
        zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())
        for path in walk.files()
    )
    return [json.loads(line) for line in text.splitlines()]


def test_rows_rejects_and_deletions_are_numbered_in_the_order_they_came(tmp_path: Path) -> None:
    walk = open_walk(tmp_path, Clock())
    keep(walk, page("1", rows=(b'{"id":"1"}', b'{"id":"2","Name":[]}'), deleted=("3",)))
    walk.finish()
    kept = lines(walk)
    assert [line["n"] for line in kept] == [1, 2, 3]
    assert kept[0]["r"] == {"id": "1"}
    assert kept[1]["x"]["id"] == "2"
    assert kept[2]["d"] == "3"
    assert (walk.manifest.rows, walk.manifest.rejected, walk.manifest.deleted) == (2, 1, 1)


def test_line_breaks_between_tokens_do_not_break_the_line(tmp_path: Path) -> None:
    walk = open_walk(tmp_path, Clock())
    keep(walk, page(rows=(b'{\n "id": "1",\r\n "Name": "a\\nb"}', b'{\n"id":')))
    walk.finish()
    assert lines(walk)[0]["r"] == {"id": "1", "Name": "a\nb"}
    assert len(lines(walk)) == 2


def test_a_broken_walk_goes_on_behind_the_last_kept_page(tmp_path: Path) -> None:
    walk = open_walk(tmp_path, Clock())
    keep(walk, page("1", "2", resume="p2", watermark=START), page("3", resume="p3"))
    walk.checkpoint()
    again = open_walk(tmp_path, Clock())
    assert again.manifest.resume == "p3"
    assert again.manifest.walk == walk.manifest.walk
    assert again.manifest.watermark == START
    keep(again, page("4", resume=None))
    again.finish()
    assert [line["r"]["id"] for line in lines(again)] == ["1", "2", "3", "4"]
    assert [line["n"] for line in lines(again)] == [1, 2, 3, 4]


def test_what_the_manifest_does_not_name_is_forgotten(tmp_path: Path) -> None:
    walk = open_walk(tmp_path, Clock())
    keep(walk, page("1", resume="p2"))
    walk.checkpoint()
    (walk.directory / "00002.ndjson.zst").write_bytes(b"half of a")
    again = open_walk(tmp_path, Clock())
    assert again.manifest.resume == "p2"
    assert [line["r"]["id"] for line in lines(again)] == ["1"]
    assert sorted(path.name for path in again.directory.iterdir()) == [
        "00001.ndjson.zst",
        MANIFEST,
    ]


def test_pages_become_durable_as_time_passes(tmp_path: Path) -> None:
    clock = Clock()
    walk = open_walk(tmp_path, clock)
    keep(walk, page("1", resume="p2"))
    clock.moment += timedelta(seconds=PART_SECONDS)
    keep(walk, page("2", resume="p3"))
    assert open_walk(tmp_path, clock).manifest.resume == "p3"


@pytest.mark.parametrize(
    "changes",
    [{"fields": ("id",)}, {"since": START}, {"loaded": "this"}],
    ids=["other fields", "other start", "already staged"],
)
def test_a_walk_that_asks_for_something_else_begins_anew(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    walk = open_walk(tmp_path, Clock())
    keep(walk, page("1", resume="p2"))
    walk.checkpoint()
    if "loaded" in changes:
        changes = {"loaded": walk.manifest.walk}
    assert open_walk(tmp_path, Clock(), **changes).manifest.resume is None


def test_an_old_walk_begins_anew(tmp_path: Path) -> None:
    clock = Clock()
    walk = open_walk(tmp_path, clock)
    keep(walk, page("1", resume="p2"))
    walk.checkpoint()
    clock.moment += timedelta(hours=13)
    assert open_walk(tmp_path, clock).manifest.resume is None


@pytest.mark.parametrize("damage", ["manifest", "part", "format"])
def test_a_damaged_walk_begins_anew(tmp_path: Path, damage: str) -> None:
    walk = open_walk(tmp_path, Clock())
    keep(walk, page("1", resume="p2"))
    walk.checkpoint()
    manifest = walk.directory / MANIFEST
    if damage == "manifest":
        manifest.write_text("{")
    elif damage == "part":
        walk.files()[0].unlink()
    else:
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "format": 99}))
    assert open_walk(tmp_path, Clock()).manifest.resume is None


def test_an_object_name_cannot_leave_the_spool(tmp_path: Path) -> None:
    walk = Spool(tmp_path).open("../../etc", ("id",), None, Clock())
    assert walk.directory.parent == tmp_path


def test_a_staged_walk_is_removed_or_moved_aside(tmp_path: Path) -> None:
    walk = open_walk(tmp_path, Clock())
    keep(walk, page("1", resume=None))
    walk.finish()
    walk.remove(tmp_path / "kept")
    assert not walk.directory.exists()
    assert len(list((tmp_path / "kept").iterdir())) == 1
    other = open_walk(tmp_path, Clock())
    other.remove()
    assert not other.directory.exists()


_VICTIM = """
import sys
from datetime import datetime, UTC
from pathlib import Path
from connector.ports import Page
from connector.row_shape import RowCheck, RowShape
from connector import spool
spool.PART_ROWS = 3
shape = RowShape("Accounts", "id", ["Name"])
now = lambda: datetime.now(UTC)
walk = spool.Spool(Path(sys.argv[1])).open("Accounts", shape.fields, None, now)
check = RowCheck(shape, walk.manifest.unseen)
start = int(walk.manifest.resume or 0)
for number in range(start, 400):
    walk.keep(Page("Accounts", (b'{"id":"%d"}' % number,), resume=str(number + 1)), check)
    print(number, flush=True)
"""


@pytest.mark.parametrize("after", [1, 7, 40])
def test_a_killed_pull_loses_little_and_doubles_nothing(tmp_path: Path, after: int) -> None:
    for _ in range(2):
        victim = subprocess.Popen(
            [sys.executable, "-c", _VICTIM, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert victim.stdout is not None
        for _ in range(after):
            seen = int(victim.stdout.readline())
        os.kill(victim.pid, signal.SIGKILL)
        victim.wait()
        victim.stdout.close()
    clock = Clock()
    clock.moment = datetime.now(UTC)
    walk = open_walk(tmp_path, clock)
    kept = [int(line["r"]["id"]) for line in lines(walk)]
    assert kept == list(range(len(kept)))
    assert len(kept) >= seen + 1 - 3
    assert int(walk.manifest.resume or 0) == len(kept)
