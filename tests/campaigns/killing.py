"""Runs a command of Heard and kills its whole process group with SIGKILL, over and over, then lets it end."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

KILLED = -signal.SIGKILL


@dataclass(frozen=True, slots=True)
class Outcome:
    """The summary that the last run printed, and how many runs were killed before it."""

    summary: Mapping[str, object]
    kills: int


def run(arguments: Sequence[str], home: Path, *, lives_s: Sequence[float] = ()) -> Outcome:
    """Start the command once for each life, kill it after that long, then run it to its end.

    A run that ends before its time is up is over: it is not started again, as that would begin anew.
    """
    kills = 0
    for life in lives_s:
        started = _start(arguments, home)
        try:
            printed, _ = started.communicate(timeout=life)
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, signal.SIGKILL)
            started.communicate()
            kills += 1
        else:
            return _outcome(started, printed, kills)
    started = _start(arguments, home)
    printed, _ = started.communicate(timeout=900)
    return _outcome(started, printed, kills)


def _start(arguments: Sequence[str], home: Path) -> "subprocess.Popen[bytes]":
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("HEARD_", "REDIS_"))}
    environment |= {"HEARD_HOME": str(home)}
    return subprocess.Popen(
        [sys.executable, "-m", "config.cli", *arguments],
        stdout=subprocess.PIPE,
        env=environment,
        start_new_session=True,
        cwd=Path(__file__).parents[2],
    )


def _outcome(ended: "subprocess.Popen[bytes]", printed: bytes, kills: int) -> Outcome:
    assert ended.returncode == 0, f"the command ended with {ended.returncode}"
    return Outcome(json.loads(printed), kills)
