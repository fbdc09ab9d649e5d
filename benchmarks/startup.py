"""How long `highseas --help` takes beside a bare Python that imports click.

python benchmarks/startup.py [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 15
BAR = 2.5
BARE = "import click"
HELP = "import sys; sys.argv = ['highseas', '--help']; import cli; cli.main()"


def seconds(program: str) -> float:
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.DEVNULL, check=False
    )
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    rounds = [(seconds(BARE), seconds(HELP)) for _ in range(ROUNDS)]
    bare, full = (statistics.median(each) for each in zip(*rounds, strict=True))
    ratio = full / bare
    figures = {"bare_ms": round(bare * 1e3), "help_ms": round(full * 1e3), "ratio": round(ratio, 2)}
    if arguments.json:
        print(json.dumps(figures))
        return
    verdict = "met" if ratio <= BAR else f"missed by {ratio - BAR:.2f}"
    print(f"import click {bare * 1e3:.0f} ms, highseas --help {full * 1e3:.0f} ms")
    print(f"ratio {ratio:.2f} (bar {BAR}: {verdict})")


if __name__ == "__main__":
    main()
