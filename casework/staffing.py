"""Staffing: how many answers an hour people must give so that no promise of a kind is broken.

One person answers one case after the other, the earliest deadline first, none before it was written; at
N answers an hour each takes the Nth part of an hour. Of all ways to be in time, the most level one is
taken: it has the lowest peak, and that peak is the smallest constant rate at which nothing is late.

Drawn over time, the answers given are a line between two stairs: what has come in, and what must be done.
The most level line is a string pulled taut between them (Yao, Demers and Shenker's schedule, for promises
of one kind, whose deadlines are in the order in which they began).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from casework.hours import OpeningHours

HOUR = timedelta(hours=1)
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, order=True)
class Owed:
    """One answer that people owe: from when it can be given, and by when it must be."""

    started_at: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Shift:
    """A length of time in which people answer at one rate."""

    begins: datetime
    ends: datetime
    per_hour: float


def staffing(owed: Sequence[Owed], hours: OpeningHours | None = None) -> tuple[Shift, ...]:
    """The most level rates at which everything owed under one kind of promise is answered in time.

    With ``hours`` people answer only while the brand is open, else around the clock. What leaves them no
    time at all is left out: no number of people would keep it.
    """
    if not owed:
        return ()
    there = _there(min(one.started_at for one in owed), max(one.due_at for one in owed), hours)
    placed = [(_placed(there, one.started_at), _placed(there, one.due_at)) for one in owed]
    windows = [(start, end) for start, end in placed if end > start]
    return tuple(
        Shift(begins, ends, slope * _HOUR_S)
        for start, end, slope in _taut(windows)
        if slope > 0
        for begins, ends in _instants(there, start, end)
    )


def peak(shifts: Sequence[Shift]) -> float:
    """The smallest constant rate, in answers an hour, at which nothing is late."""
    return max((shift.per_hour for shift in shifts), default=0.0)


def by_hour(shifts: Sequence[Shift], timezone: str) -> Mapping[int, float]:
    """How many answers fall into each hour on the wall, on the day that asks for most; none where 0.

    The rate within the hour may be higher for a while: what comes in just before midnight and is due at it
    leaves minutes. `peak` tells that; how many people an hour needs is told by this.
    """
    zone, given = ZoneInfo(timezone), dict[datetime, float]()
    for shift in shifts:
        for begins, ends in _hours_of(shift, zone):
            hour = _hour_begins(begins, zone)
            given[hour] = given.get(hour, 0.0) + (ends - begins) / HOUR * shift.per_hour
    fullest = dict[int, float]()
    for hour, answers in given.items():
        on_the_wall = hour.astimezone(zone).hour
        fullest[on_the_wall] = max(fullest.get(on_the_wall, 0.0), answers)
    return dict(sorted(fullest.items()))


def _hours_of(shift: Shift, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    """The shift, cut where an hour on the wall ends."""
    at = shift.begins
    while at < shift.ends:
        ends = min(_hour_begins(at, zone) + HOUR, shift.ends)
        yield at, ends
        at = ends


def _hour_begins(instant: datetime, zone: ZoneInfo) -> datetime:
    wall = instant.astimezone(zone)
    return instant - timedelta(minutes=wall.minute, seconds=wall.second, microseconds=wall.microsecond)


# ── time in which somebody is there ──────────────────────────────────────────────────────────────

_Spans = Sequence[tuple[datetime, datetime]]


def _there(first: datetime, last: datetime, hours: OpeningHours | None) -> _Spans:
    if hours is None:
        return [(first, last)]
    spans = takewhile(lambda span: span[0] < last, hours.spans_from(first))
    return [(max(start, first), min(end, last)) for start, end in spans]


def _placed(there: _Spans, instant: datetime) -> float:
    """How many seconds somebody was there before an instant."""
    return sum((min(end, instant) - start).total_seconds() for start, end in there if start < instant)


def _instants(there: _Spans, start: float, end: float) -> Iterator[tuple[datetime, datetime]]:
    """The instants of a shift of that time, one pair for each span it goes through."""
    passed = 0.0
    for begins, ends in there:
        length = (ends - begins).total_seconds()
        low, high = max(start - passed, 0.0), min(end - passed, length)
        if low < high:
            yield begins + timedelta(seconds=low), begins + timedelta(seconds=high)
        passed += length


# ── the taut string ──────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Bound:
    """At ``at`` the answers given must be at least, or at most, ``count``."""

    at: float
    count: int
    floor: bool


def _taut(windows: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float, float]]:
    """Pieces of the string: where each begins and ends, and its slope in answers a second."""
    if not windows:
        return
    starts, ends = sorted(start for start, _ in windows), sorted(end for _, end in windows)
    bounds = [_Bound(at, given, floor=False) for given, at in enumerate(starts)]
    bounds += [_Bound(at, given, floor=True) for given, at in enumerate(ends, start=1)]
    bounds += [_Bound(ends[-1], len(ends), floor=False)]
    bounds.sort(key=lambda bound: bound.at)
    at, given = starts[0], 0.0
    while at < ends[-1]:
        turn = _turn(bounds, at, given)
        yield at, turn.at, (turn.count - given) / (turn.at - at)
        at, given = turn.at, float(turn.count)


def _turn(bounds: Sequence[_Bound], at: float, given: float) -> _Bound:
    """The bound that the string from here touches next: where what it may not cross on both sides meets."""
    steepest, flattest = float("inf"), float("-inf")
    ceiling = floor = bounds[-1]
    for bound in bounds:
        if bound.at <= at:
            continue
        slope = (bound.count - given) / (bound.at - at)
        if bound.floor and slope > steepest:
            return ceiling
        if not bound.floor and slope < flattest:
            return floor
        if bound.floor and slope >= flattest:
            flattest, floor = slope, bound
        elif not bound.floor and slope <= steepest:
            steepest, ceiling = slope, bound
    return floor
