"""The spike watch on recorded mention counts of five brands with labelled events: score and false alarms.

Scored as the Numenta Anomaly Benchmark's standard profile does (its README beside the data):
the earliest find in a window is worth up to 1 by how early it is, a missed window -1, a false alarm up to
-0.11 by its distance behind the last window; 0 is a detector that never fires, 100 a perfect one.

    python -m bench.spikes [FOLDER]
"""

import csv
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from casework.spikes import Spike, SpikeWatch, Thresholds

DATA = Path("../shared/data/nab")
WEEK = timedelta(weeks=1)
LEARNS, LEARNS_AT_MOST = 0.15, 750
FALSE_ALARM = 0.11
FAR = 3.0
PUBLISHED = "ARTime 81.8, contextOSE 74.5, numenta 68.0, windowedGaussian 51.4, skyline 29.4"
Count = tuple[datetime, int]
Window = tuple[int, int]


@dataclass(frozen=True, slots=True)
class BrandFigures:
    """One brand: windows found of how many, false alarms, and over how many weeks after the learning."""

    name: str
    raw: float
    windows: int
    found: int
    false: int
    weeks: float


@dataclass(frozen=True, slots=True)
class SpikeFigures:
    """All brands, and what one count costs."""

    brands: tuple[BrandFigures, ...]
    us_each: float

    @property
    def score(self) -> float:
        """0 for never firing, 100 for firing at each window's start and nowhere else."""
        windows = sum(brand.windows for brand in self.brands)
        return 100 * (sum(brand.raw for brand in self.brands) + windows) / (2 * windows)

    @property
    def false_a_week(self) -> float:
        """False alarms a week and brand."""
        return sum(brand.false for brand in self.brands) / sum(brand.weeks for brand in self.brands)

    def text(self) -> str:
        """The figures, brand by brand, the score last."""
        lines = [
            f"spikes {one.name:<6} found {one.found} of {one.windows}   "
            f"false alarms {one.false / one.weeks:.2f} a week"
            for one in self.brands
        ]
        return "\n".join(
            [
                *lines,
                f"spikes, all brands     {self.us_each:,.0f} µs a count   "
                f"false alarms {self.false_a_week:.2f} a week and brand",
                f"spikes, NAB score      {self.score:.1f} on these {len(self.brands)} brands",
                f"published, on all ten brands of the set: {PUBLISHED}",
            ]
        )


def measure(folder: Path = DATA, thresholds: Thresholds | None = None) -> SpikeFigures:
    """Every series of the folder, from its first count on."""
    brands, counts, took = [], 0, 0.0
    for path in sorted(folder.glob("*.csv")):
        series = read_series(path)
        started = time.perf_counter()
        fired = fires(series, thresholds)
        took += time.perf_counter() - started
        counts += len(series)
        windows = windows_of(folder, path.name, series)
        brands.append(score(path.stem.split("_")[-1], series, windows, fired))
    return SpikeFigures(tuple(brands), took / counts * 1e6)


def read_series(path: Path) -> list[Count]:
    """Counts of five minutes; the recording names no zone and is taken as UTC."""
    with path.open(newline="") as lines:
        return [(_instant(row["timestamp"]), int(float(row["value"]))) for row in csv.DictReader(lines)]


def windows_of(folder: Path, name: str, series: Sequence[Count]) -> list[Window]:
    """The labelled events of a series, as first and last places."""
    labelled: dict[str, list[tuple[str, str]]] = json.loads((folder / "windows.json").read_text())
    return [_window(series, start, end) for start, end in labelled[name]]


def fires(series: Sequence[Count], thresholds: Thresholds | None) -> list[int]:
    """The places at which the watch says Spike."""
    watch = SpikeWatch(thresholds)
    return [place for place, (at, count) in enumerate(series) if isinstance(watch.add(at, count), Spike)]


def score(
    name: str, series: Sequence[Count], windows: Sequence[Window], fired: Sequence[int]
) -> BrandFigures:
    """What the benchmark gives for firing at these places."""
    learnt = min(int(LEARNS * len(series)), LEARNS_AT_MOST)
    found: dict[Window, float] = {}
    false = []
    for place in fired:
        if place < learnt:
            continue
        inside = next((w for w in windows if w[0] <= place <= w[1]), None)
        if inside is None:
            false.append(_false_alarm(place, windows))
        elif inside not in found:
            start, end = inside
            found[inside] = _sigmoid(-(end - place + 1) / (end - start + 1)) / _sigmoid(-1)
    raw = sum(found.values()) - (len(windows) - len(found)) + sum(false)
    weeks = (series[-1][0] - series[learnt][0]) / WEEK
    return BrandFigures(name, raw, len(windows), len(found), len(false), weeks)


def _false_alarm(place: int, windows: Sequence[Window]) -> float:
    before = [window for window in windows if window[1] < place]
    if not before:
        return -FALSE_ALARM
    start, end = before[-1]
    behind = (place - end) / (end - start)
    return FALSE_ALARM * (_sigmoid(behind) if behind <= FAR else -1.0)


def _sigmoid(x: float) -> float:
    return 2 / (1 + math.exp(5 * x)) - 1


def _window(series: Sequence[Count], start: str, end: str) -> Window:
    inside = [i for i, (at, _) in enumerate(series) if _instant(start) <= at <= _instant(end)]
    return inside[0], inside[-1]


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


if __name__ == "__main__":
    print(measure(Path(sys.argv[1]) if len(sys.argv) > 1 else DATA).text())
