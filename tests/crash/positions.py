"""What is tried and what came of it: positions, runs, outcomes, and the file that keeps them."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

Threads = Literal["loop", "others"]
"""The thread that runs asyncio, or every other."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Before the ``number``-th time that these threads make a call, from the beginning of a phase."""

    phase: str
    threads: Threads
    call: str
    number: int

    def __str__(self) -> str:
        return f"{self.phase}/{self.threads}/{self.call}/{self.number}"


@dataclass(frozen=True, slots=True)
class Scene:
    """What is killed (``stage``), on which platform or by which way, and what the network does."""

    stage: str
    on: str
    fate: str = "ok"

    def __str__(self) -> str:
        return f"{self.stage}/{self.on}/{self.fate}"


@dataclass(frozen=True, slots=True)
class Run:
    """One thing to be done in a scene, and where its process dies; without deaths it is a survey."""

    scene: Scene
    deaths: tuple[Position, ...] = ()

    @property
    def key(self) -> str:
        """Names the run in the file of results."""
        return " ".join([str(self.scene), *map(str, self.deaths)])


@dataclass(slots=True)
class Outcome:
    """What came of a run. ``before`` are the calls that were not made any more; ``calls`` a survey's counts.

    ``unreachable`` counts the calls of threads that began during the phase: none is aimed at one by one.
    """

    key: str
    killed: int = 0
    lost: int = 0
    double: int = 0
    end: str = ""
    before: list[str] = field(default_factory=list)
    calls: dict[str, int] = field(default_factory=dict)
    unreachable: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Results:
    """Everything that was found so far, in a file of JSON Lines; what stands there is not done again."""

    path: Path
    found: dict[str, Outcome] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.path.exists():
            # A line that was cut off by the death of the harness is a run to be done again.
            for line in self.path.read_text().splitlines():
                with suppress(ValueError):
                    outcome = Outcome(**json.loads(line))
                    self.found[outcome.key] = outcome

    def add(self, outcome: Outcome) -> None:
        """Keep an outcome."""
        self.found[outcome.key] = outcome
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write("\n" * (file.tell() > 0) + json.dumps(asdict(outcome)))


def rows(calls: dict[str, int]) -> Iterator[tuple[str, Threads, str, int]]:
    """The rows of a survey: phase, threads, call, and how often it was made."""
    for row, number in sorted(calls.items()):
        phase, threads, call = row.split("/")
        yield phase, "loop" if threads == "loop" else "others", call, number
