"""The table: for each scene, how many positions were killed at, and what was lost or came double."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.crash.positions import Outcome, Results


@dataclass(slots=True)
class Row:
    """Sums over the runs of one scene."""

    name: str
    positions: int = 0
    pairs: int = 0
    not_reached: int = 0
    unreachable: int = 0
    lost: int = 0
    double: int = 0

    def add(self, outcome: Outcome) -> None:
        """Count one run."""
        self.unreachable += outcome.unreachable
        self.lost += outcome.lost
        self.double += outcome.double
        deaths = outcome.key.count(" ")
        self.positions += deaths == 1 and outcome.killed > 0
        self.pairs += deaths == 2 and outcome.killed > 1
        self.not_reached += deaths > 0 and outcome.killed < deaths


HEAD = ("scene", "positions killed", "pairs killed", "not reached", "threads new", "lost", "double")


def rows_of(results: Results) -> list[Row]:
    """One row a scene, in the order they were begun, and their sum."""
    by_scene: dict[str, Row] = {}
    whole = Row("all")
    for outcome in results.found.values():
        scene = outcome.key.split(" ")[0]
        by_scene.setdefault(scene, Row(scene)).add(outcome)
        whole.add(outcome)
    return [*sorted(by_scene.values(), key=lambda row: row.name), whole]


def table(rows: Iterable[Row]) -> str:
    """As text, in columns."""
    lines: list[Sequence[str]] = [HEAD]
    for row in rows:
        numbers = (row.positions, row.pairs, row.not_reached, row.unreachable, row.lost, row.double)
        lines.append((row.name, *map(str, numbers)))
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if not column else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )
