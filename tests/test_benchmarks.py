"""The evaluation benchmark runs on a small world, and there the two sides agree."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parent.parent / "benchmarks" / "evaluate.py"


def test_product_and_hand_written_sql_agree_on_a_small_world() -> None:
    command = [sys.executable, str(SCRIPT), "--customers", "2000", "--repeats", "1", "--json"]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    (run,) = json.loads(answer.stdout)["runs"]
    assert run["facts"] == 36_000
    assert run["product"]["rows"] == run["hand"]["rows"] > 0
    assert run["ratio"] > 0
    assert run["store"]["changes"] > 0
