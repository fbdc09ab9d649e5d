"""Runs a command that dies with the process that asked for it, also when that one is killed."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # (prctl(2)); elsewhere a killed test run leaves its servers behind

if __name__ == "__main__":
    asker, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(asker):
            sys.exit("the one who asked is gone")
    os.execv(command[0], command)  # noqa: S606 - the command of a test
