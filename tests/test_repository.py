"""What the tree promises about itself: nothing of one machine, no secrets, small files, reasons."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("adapters", "connector", "policies")
LONGEST_FILE = 400
LONGEST_FUNCTION = 60

# Written with gaps, so that this file passes its own rules.
MACHINE_PATH = re.compile(r"(?<![\w.~$}/])/(?:home|root|work|farm|Users|private|opt|mnt)/\w")
REGISTRY = re.compile(
    r"pypi\.(?:org|python)|python[h]osted|test\.[p]ypi|registry\.[n]pmjs|index-url\W*\w+://"
)
SECRET = re.compile(
    r"""\b1000\.[0-9a-f]{32}\.[0-9a-f]{32}\b         # a Zoho OAuth token
    | \bgh[pousr]_\w{36}\b | \bglpat-[\w-]{20}      # of forges
    | \bAKIA[0-9A-Z]{16}\b | \bxox[abprs]-\w{10} | \bsk-[\w-]{32}
    | \beyJ[\w-]{10,}\.eyJ[\w-]{10,}               # a signed JSON web token
    | -----BEGIN[ ][A-Z ]*PRIVATE[ ][K]EY-----""",
    re.VERBOSE,
)
BARRED_NAMES = {"utils", "helpers", "common", "manager", "base", "core"}


@pytest.fixture(scope="module")
def files() -> list[Path]:
    """Every file that is, or is about to be, in the repository."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def sources(files: list[Path]) -> list[Path]:
    return [
        path
        for path in files
        if path.suffix == ".py" and "tests" not in path.relative_to(ROOT).parts
    ]


def lines_matching(pattern: re.Pattern[str], files: list[Path]) -> list[str]:
    """file:line of every hit in a text file; the hit could be a secret and is not repeated."""
    found = []
    for path in files:
        data = path.read_bytes()
        if b"\0" in data:
            continue
        for number, line in enumerate(data.decode("utf-8").splitlines(), start=1):
            if pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}")
    return found


def test_no_file_names_a_path_of_one_machine(files: list[Path]) -> None:
    assert lines_matching(MACHINE_PATH, files) == []


def test_no_file_names_a_package_registry(files: list[Path]) -> None:
    assert lines_matching(REGISTRY, files) == []


def test_no_file_holds_what_looks_like_a_secret(files: list[Path]) -> None:
    assert lines_matching(SECRET, files) == []


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (MACHINE_PATH, "DATA = '/" + "home/somebody/data'"),
        (MACHINE_PATH, "see /" + "work/data"),
        (REGISTRY, "https://pypi" + ".org/simple"),
        (REGISTRY, "--index" + "-url https://mirror/simple"),
        (SECRET, "token: 1000." + "0f" * 16 + "." + "a1" * 16),
        (SECRET, "-----BEGIN RSA PRIVATE " + "KEY-----"),
        (SECRET, "gh" + "p_" + "a" * 36),
    ],
)
def test_the_patterns_find_what_they_look_for(pattern: re.Pattern[str], line: str) -> None:
    assert pattern.search(line)


def test_the_machine_path_pattern_leaves_urls_and_relative_paths_alone() -> None:
    for line in ("docs/home/x", "https://host/work/x", "../work/x", "~/work/x", "$HOME/work/x"):
        assert not MACHINE_PATH.search(line)


def test_no_source_file_is_longer_than_the_budget(sources: list[Path]) -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines())
        for path in sources
        if path != ROOT / "cli.py"
    }
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield (
                f"{path.relative_to(ROOT)}:{node.lineno} {node.name}",
                ((node.end_lineno or node.lineno) - node.lineno + 1),
            )


def test_no_function_is_longer_than_the_budget(sources: list[Path]) -> None:
    lengths = {name: length for path in sources for name, length in functions(path)}
    assert lengths
    assert {name: length for name, length in lengths.items() if length > LONGEST_FUNCTION} == {}


def test_no_module_has_a_name_that_says_nothing(sources: list[Path]) -> None:
    barred = [path for path in sources if BARRED_NAMES & {path.stem, path.parent.name}]
    assert barred == []


def test_no_package_below_tests(files: list[Path]) -> None:
    """An `__init__.py` there would make `import adapters` find the tests of that name."""
    assert [path for path in files if path.match("tests/**/__init__.py")] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_tells_that_it_is_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


def test_the_check_of_the_build_machine_can_be_started() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.fixture(scope="module")
def project() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def requirements(project: dict[str, dict[str, object]]) -> list[Requirement]:
    tables: list[object] = [
        project["build-system"]["requires"],
        project["project"]["dependencies"],
        *dict(project["project"].get("optional-dependencies", {})).values(),  # type: ignore[call-overload]
        *project["dependency-groups"].values(),
    ]
    return [Requirement(line) for table in tables if isinstance(table, list) for line in table]


def test_every_dependency_has_its_sentence_and_no_sentence_is_left_over(
    requirements: list[Requirement],
) -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    own, _, servers = page.partition("\n## To test against\n")
    reasons = reasons_of(own)
    assert sorted(reasons) == sorted({need.name for need in requirements})
    assert all(len(reason.split()) >= 3 for reason in reasons.values())
    files = (ROOT / "tests" / "servers" / "requirements").glob("*.txt")
    pinned = {line.partition("==")[0] for file in files for line in file.read_text().splitlines()}
    assert {"kinto", "trytond", "mitmproxy"} == reasons_of(servers).keys() <= pinned


def reasons_of(page: str) -> dict[str, str]:
    found = re.findall(r"^- `([^`]+)`: (.+)\.$", page, flags=re.MULTILINE)
    assert len(found) == len(dict(found))
    return dict(found)


@pytest.fixture(scope="module")
def pins() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    pinned = {}
    for line in lines:
        if line.lstrip().startswith("#"):
            continue
        match = re.fullmatch(r"([a-z0-9-]+)==([\w.!+-]+)(?: ; (.+))?", line)
        assert match, f"not a plain pin: {line}"
        pinned[match[1]] = match[2]
    return pinned


def test_the_lock_pins_what_the_project_asks_for(
    requirements: list[Requirement], pins: dict[str, str]
) -> None:
    """`make lock` renews it."""
    environment = {key: str(value) for key, value in default_environment().items()}
    unmet = [
        str(need)
        for need in requirements
        if (need.marker is None or need.marker.evaluate(environment))
        and not need.specifier.contains(
            pins.get(canonicalize_name(need.name), "0"), prereleases=True
        )
    ]
    assert unmet == []


def build(hook: str, into: Path) -> set[str]:
    """Names in the wheel that hatchling makes of this tree, through one of its two hooks."""
    script = f"import sys; from hatchling import build; print(build.{hook}(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", script, str(into)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(into / done.stdout.split()[-1]) as wheel:
        return {name for name in wheel.namelist() if ".dist-info/" not in name}


def test_the_wheel_holds_the_packages_and_the_command_and_nothing_else(
    files: list[Path], tmp_path: Path
) -> None:
    names = {path.relative_to(ROOT).as_posix() for path in files}
    expected = {name for name in names if name.split("/")[0] in PACKAGES} | {"cli.py"}
    assert build("build_wheel", tmp_path) == expected


def test_an_editable_install_copies_no_source_that_could_go_stale(tmp_path: Path) -> None:
    assert build("build_editable", tmp_path) == {"_highseas.pth"}
