"""docs/rest.md: its tutorial is walked against a real Kinto, and what is printed is compared."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from tests.command_line import Answer, run
from tests.servers.places import environment
from tests.servers.server_process import ServerProcess, command

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "rest.md").read_text("utf-8")
TUTORIAL = PAGE.partition("\n## Tutorial\n")[2].partition("\n## Reference\n")[0]
BLOCK = re.compile(
    r"(?:^`(?P<file>[\w./-]+)`(?P<how>[^\n]*):\n\n)?^```(?P<kind>\w+)\n(?P<body>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
ADDRESS = "http://127.0.0.1:8888"
LEFT_OUT = "..."
# What differs from one time to the next, as the page says.
MOVING = (
    (re.compile(r"\b\d{8}-\d{6}-\d{4}\b"), "RUN"),
    (re.compile(r"\bp\d{4}-[0-9a-f]{6}\b"), "PLAN"),
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "DAY"),
    (re.compile(r"\bRef [A-Z2-7]{10}\b"), "Ref MARKER"),
)
IDS = re.compile("|".join(pattern.pattern for pattern, name in MOVING if name in {"RUN", "PLAN"}))
# Of the page's commands these are the test's own business: its Kinto is installed and started.
PREPARED = {
    "python3 -m venv kinto",
    "kinto/bin/pip install kinto==26.5.0",
    "kinto/bin/kinto start --ini kinto.ini",
}


class Block(NamedTuple):
    """A piece of the page: a file, a part of one, or commands with what they print."""

    file: str
    kind: str
    body: str
    is_whole: bool = False


def blocks(text: str) -> list[Block]:
    return [
        Block(m["file"] or "", m["kind"], m["body"], "as a whole" in (m["how"] or ""))
        for m in BLOCK.finditer(text)
    ]


def parts(text: str) -> dict[str, str]:
    """A YAML file by its top-level keys, as it is written."""
    found = re.split(r"^(?=[^\s#])", text, flags=re.MULTILINE)
    return {part.partition(":")[0]: part for part in found if part}


def put(path: Path, block: Block) -> None:
    """A whole file; or, where it is there already, new keys and those that take others' place."""
    is_new = block.is_whole or not path.exists()
    had = {} if is_new else parts(path.read_text("utf-8"))
    path.write_text("".join({**had, **parts(block.body)}.values()), encoding="utf-8")


class Spoken(NamedTuple):
    """A command on the page and the lines that it is shown to print."""

    command: str
    lines: list[str]


def spoken(body: str) -> Iterator[Spoken]:
    for text in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        first, *lines = text.splitlines()
        yield Spoken(first, lines)


def settled(line: str) -> str:
    for pattern, name in MOVING:
        line = pattern.sub(name, line)
    return line


def shown_in(shown: list[str], printed: list[str]) -> list[tuple[str, str]]:
    """Each shown line with the printed one that it stands for; lines are left out only where the
    page says so."""
    pairs, at, may_skip = [], 0, False
    for line in shown:
        if line == LEFT_OUT:
            may_skip = True
            continue
        rest = [settled(each) for each in printed[at:]]
        assert settled(line) in rest, f"not printed: {line}"
        skipped = rest.index(settled(line))
        assert may_skip or not skipped, f"left out without a word: {printed[at]}"
        pairs.append((line, printed[at + skipped]))
        at, may_skip = at + skipped + 1, False
    assert may_skip or at == len(printed), f"left out without a word: {printed[at]}"
    return pairs


class Reader:
    """Somebody who does what the tutorial says, in one folder."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.done: list[str] = []
        self._patch = monkeypatch
        self._url = ""
        self._ids: dict[str, str] = {}
        monkeypatch.chdir(folder)

    def start(self, ini: str) -> ServerProcess:
        """The CRM of the page, on a port that is free."""
        where = self.folder / "server"
        where.mkdir()
        assert ini.count("port = 8888") == 1
        (where / "kinto.ini").write_text(ini.replace("port = 8888", "port = 0"), "utf-8")
        server = ServerProcess(
            [*command(environment("kinto"), "kinto"), "start", "--ini", "kinto.ini"],
            folder=where,
            says_port=r"Serving on http://127\.0\.0\.1:(\d+)",
        )
        self._url = f"http://127.0.0.1:{server.port}"
        return server

    def follow(self, block: Block) -> None:
        if block.kind == "console":
            for each in spoken(block.body):
                self._type(each)
        else:
            assert block.file, "a file without a name"
            here = block._replace(body=block.body.replace(ADDRESS, self._url))
            put(self.folder / block.file, here)

    def _type(self, each: Spoken) -> None:
        self.done.append(each.command)
        words = [self._ids.get(word, word) for word in each.command.split()]
        words = [word.replace(ADDRESS, self._url) for word in words]
        if words[0] == "export":
            self._patch.setenv(*words[1].split("=", 1))
        elif words[0] == "highseas":
            self._compare(each, run(Path(), *words[1:]))
        elif words[:2] == ["python3", "fill.py"]:
            printed = subprocess.run(
                [sys.executable, *words[1:]], check=True, capture_output=True, text=True
            )
            assert printed.stdout.splitlines() == each.lines
        else:
            assert each.command in PREPARED, each.command
            assert not each.lines

    def _compare(self, each: Spoken, answer: Answer) -> None:
        """`check` ends with 5 where a line says that something failed, everything else with 0."""
        assert answer.code == (5 if "\nfailed" in "\n".join(each.lines) else 0), answer.err
        printed = answer.out.replace(self._url, ADDRESS).splitlines()
        for shown, real in shown_in(each.lines, printed):
            self._ids |= dict(zip(IDS.findall(shown), IDS.findall(real), strict=True))


@pytest.mark.parametrize("shown", [["a"], ["b", "c"], [LEFT_OUT, "c", "b", LEFT_OUT], ["a", "d"]])
def test_a_page_that_shows_something_else_is_found_out(shown: list[str]) -> None:
    with pytest.raises(AssertionError):
        shown_in(shown, ["a", "b", "c"])


@pytest.mark.parametrize("shown", [["a", LEFT_OUT], ["a", "b", "c"], [LEFT_OUT, "b", LEFT_OUT]])
def test_a_page_may_leave_lines_out_where_it_says_so(shown: list[str]) -> None:
    assert len(shown_in(shown, ["a", "b", "c"])) == len(shown) - shown.count(LEFT_OUT)


def test_a_block_takes_the_place_of_its_keys_alone(tmp_path: Path) -> None:
    path = tmp_path / "crm.yaml"
    put(path, Block("crm.yaml", "yaml", "rest: 1\nobjects:\n  a: {}\n  b: {}\nfacts: {}\n"))
    put(path, Block("crm.yaml", "yaml", "objects:\n  c: {}\nwrites: {}\n"))
    assert yaml.safe_load(path.read_text("utf-8")) == {
        "rest": 1,
        "objects": {"c": {}},
        "facts": {},
        "writes": {},
    }


def test_the_tutorial_leads_to_a_preview_and_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(tmp_path, monkeypatch)
    steps = blocks(TUTORIAL)
    (ini,) = (block.body for block in steps if block.kind == "ini")
    server = reader.start(ini)
    try:
        for block in steps:
            if block.kind != "ini":
                reader.follow(block)
    finally:
        server.stop()
    verbs = [line.split()[3] for line in reader.done if line.startswith("highseas -C acme")]
    assert [verb for verb in verbs if verb != "check"] == ["pull", "plan", "apply", "undo", "apply"]
    assert verbs.count("check") >= 6
    assert set(reader.done) >= PREPARED


def test_the_tutorial_installs_the_kinto_that_tests_run() -> None:
    pinned = (ROOT / "tests/servers/requirements/kinto.txt").read_text("ascii").splitlines()
    (wanted,) = re.findall(r"pip install (\S+)", TUTORIAL)
    assert wanted in pinned
