import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connector.errors import RefusedError
from connector.lock import holder_description, workspace_lock

HOLD = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from connector.lock import workspace_lock
with workspace_lock(Path(sys.argv[1]), "apply", lambda: datetime(2026, 5, 1, tzinfo=UTC)):
    print("held", flush=True)
    sys.stdin.read()
"""


def now() -> datetime:
    return datetime(2026, 5, 2, tzinfo=UTC)


def test_a_second_run_is_refused_by_name_until_the_first_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        expected = rf"apply \(process {other.pid}\) since 2026-05-01"
        with (
            pytest.raises(RefusedError, match=expected) as caught,
            workspace_lock(tmp_path, "plan", now),
        ):
            pass
        assert "highseas stop" in caught.value.hint
        other.communicate()
    with workspace_lock(tmp_path, "plan", now):
        assert "plan (process" in holder_description(tmp_path)
    assert holder_description(tmp_path) == ""


def test_a_killed_run_leaves_no_lock_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        other.kill()
        other.wait()
    with workspace_lock(tmp_path, "plan", now):
        pass
