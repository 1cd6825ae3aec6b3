"""A process of its own that judges: `python -m bench.fresh packed|reference|worker`, for `bench.judging`.

`packed` and `reference` say when they have their first verdict, then what they took. `worker` says when it is
ready, and then for each line it reads how long, in CPU seconds, it needed for its texts.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TEXT = "@acme third time I write: my app crashes every time I open it. Fix it!!"
AT_ONCE = 32
_STATUS = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Start:
    """From starting the process to its first verdict, in seconds, and its peak memory in MB."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def start(runtime: str) -> Start:
    """Start a process that judges one text with ``packed`` or ``reference``."""
    began = time.perf_counter()
    with _process(runtime) as process:
        assert process.stdout is not None  # noqa: S101
        said = process.stdout.readline()
        wall = time.perf_counter() - began
        cpu, peak = json.loads(said or process.stdout.read())
    return Start(wall, cpu, peak)


class Worker:
    """A process that judges the same texts over and over, 32 at once, whenever it is told to."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._process = _process("worker")
        self.tell(json.dumps(list(texts)))
        self.answer()

    def tell(self, line: str = "go") -> None:
        """Let it begin."""
        assert self._process.stdin is not None  # noqa: S101
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def answer(self) -> float:
        """Wait until it is done; the CPU seconds it took."""
        assert self._process.stdout is not None  # noqa: S101
        return float(self._process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        with self._process:
            assert self._process.stdin is not None  # noqa: S101
            self._process.stdin.close()


def _process(task: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench.fresh", task]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _packed() -> None:
    from classifier.model import Classifier

    Classifier.load().classify([TEXT])


def _reference() -> None:
    import torch

    from classifier.bundle import read_bundle
    from classifier.language import language_of
    from classifier.reference import Reference
    from classifier.text import readable
    from classifier.topics import topics_in

    torch.set_num_threads(1)
    bundle = read_bundle()
    logits = Reference(bundle).logits([TEXT])
    for name, head in bundle.heads.items():
        head.read(logits[0][name])
    read = readable(TEXT)
    language_of(read), topics_in(read, {})


def _first_verdict(runtime: str) -> None:
    {"packed": _packed, "reference": _reference}[runtime]()
    print(json.dumps([time.process_time(), _peak_mb()]), flush=True)


def _peak_mb() -> float:
    # Linux lets ru_maxrss of a new process begin with that of its parent, which here holds several models.
    if _STATUS.exists():
        lines = _STATUS.read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / 1024


def _worker() -> None:
    from classifier.model import Classifier

    model = Classifier.load()
    texts = json.loads(sys.stdin.readline())
    print(0.0, flush=True)
    for _ in sys.stdin:
        model.forget()
        began = time.process_time()
        for first in range(0, len(texts), AT_ONCE):
            model.classify(texts[first : first + AT_ONCE])
        print(time.process_time() - began, flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "worker":
        _worker()
    else:
        _first_verdict(sys.argv[1])
