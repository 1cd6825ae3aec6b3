"""A hundred thousand deadlines against a walk of real minutes: `make deadlines`."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from time import perf_counter
from zoneinfo import ZoneInfo

import pytest

from tests.casework.deadline_cases import (
    ZONES,
    Case,
    changes,
    changes_of,
    disagreements,
    due_by_walking,
    random_case,
)
from tests.casework.minute_walk import instant_of, minute_of

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(4 * 3600)]

CASES = 100_000
SEED = 20_261_124


def test_every_deadline_is_what_walking_the_minutes_finds(capsys: pytest.CaptureFixture[str]) -> None:
    """Half of them near a change of the clock, each of which comes up many times."""
    random, every = Random(SEED), changes()
    seen = Counter[str]()
    crossed = set[tuple[str, int]]()
    wrong: list[str] = []
    began = perf_counter()
    for number in range(CASES):
        case = random_case(random, every[number // 2 % len(every)] if number % 2 else None)
        wrong += disagreements(case)
        end = due_by_walking(case)
        seen.update(_traits(case, end))
        crossed.update(_crossed(case, end))
    with capsys.disabled():
        took = perf_counter() - began
        print(f"\n{CASES} cases in {took:.0f} s, {CASES / took:.0f} a second")  # noqa: T201
        print("\n".join(f"{count:7} {trait}" for trait, count in sorted(seen.items())))  # noqa: T201
        print(f"{len(crossed):7} of {len(every)} changes of {len(ZONES)} zones crossed")  # noqa: T201

    assert wrong == []
    assert crossed == set(every)


def _crossed(case: Case, end: datetime | None) -> Iterator[tuple[str, int]]:
    if end is not None:
        there = changes_of(case.timezone)
        until = bisect_left(there, minute_of(end))
        yield from ((case.timezone, minute) for minute in there[bisect_left(there, case.start) : until])


def _traits(case: Case, end: datetime | None) -> Iterator[str]:
    yield "on the opening clock" if case.opening else "on the plain clock"
    yield "by the end of a day" if case.length is None else "by a length"
    if case.pauses:
        yield "with pauses"
    if case.closed or case.closed_at:
        yield "with closed days or hours"
    if end is None:
        yield "never due"
        return
    zone = ZoneInfo(case.timezone)
    first, last = instant_of(case.start).astimezone(zone).date(), end.astimezone(zone).date()
    if any(True for _ in _crossed(case, end)):
        yield "across a change of the clock"
    days = (first + timedelta(days=step) for step in range((last - first).days + 1))
    if any((day.month, day.day) == (2, 29) for day in days):
        yield "across a leap day"
    if first.year != last.year:
        yield "across the end of a year"
