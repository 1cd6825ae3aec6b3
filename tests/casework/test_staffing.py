"""Staffing: how fast people must answer, against a search of every rate that could be the smallest."""

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

import pytest

from casework.hours import ALWAYS, OpeningHours, Span
from casework.staffing import Owed, by_hour, peak, staffing
from tests.fakes.cases import NOON

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
TEN_TO_FOUR = OpeningHours("UTC", ((Span(time(10), time(16)),),) * 7)


def late_at(owed: Sequence[Owed], per_hour: float) -> bool:
    """Whether one after the other, each taking its part of an hour, some answer comes after its deadline."""
    free, takes = datetime.min.replace(tzinfo=UTC), HOUR / per_hour
    for one in sorted(owed, key=lambda one: (one.due_at, one.started_at)):
        free = max(free, one.started_at) + takes
        if free > one.due_at + timedelta(milliseconds=1):
            return True
    return False


def smallest_by_search(owed: Sequence[Owed]) -> float:
    """The smallest rate at which nothing is late, of all rates at which something can be just in time."""
    lengths = {b.due_at - a.started_at for a in owed for b in owed if b.due_at > a.started_at}
    rates = sorted({k * (HOUR / length) for length in lengths for k in range(1, len(owed) + 1)})
    return next(rate for rate in rates if not late_at(owed, rate))


@pytest.mark.parametrize("seed", range(60))
def test_the_peak_is_the_smallest_rate_at_which_nothing_is_late(seed: int) -> None:
    """Earliest deadline first, at any constant rate below it, breaks a promise; at it, none."""
    draw = random.Random(seed)
    within = timedelta(minutes=draw.choice([20, 60, 240]))
    starts = [NOON + draw.randrange(600) * MINUTE for _ in range(draw.randrange(1, 8))]
    owed = [Owed(at, at + within) for at in starts]
    if seed % 3 == 0:
        owed = [Owed(at, ALWAYS.end_of_day(at)) for at in starts]

    assert peak(staffing(owed)) == pytest.approx(smallest_by_search(owed))


@pytest.mark.parametrize("seed", range(20))
def test_the_stretches_answer_everything_after_it_came_and_before_it_is_due(seed: int) -> None:
    """Added up over time, the answers never run ahead of the posts, and never behind the deadlines."""
    draw = random.Random(seed)
    owed = [Owed(at, at + HOUR) for at in (NOON + draw.randrange(400) * MINUTE for _ in range(12))]
    stretches = staffing(owed)

    def given(until: datetime) -> float:
        parts = ((min(until, s.ends) - s.begins) / HOUR * s.per_hour for s in stretches if s.begins < until)
        return sum(parts)

    for one in owed:
        assert given(one.due_at) >= sum(o.due_at <= one.due_at for o in owed) - 1e-6
        assert given(one.started_at) <= sum(o.started_at < one.started_at for o in owed) + 1e-6


def test_a_promise_that_counts_opening_hours_is_kept_in_opening_hours() -> None:
    """What came in the night leaves the whole morning; nobody is needed while the desk is closed."""
    night = datetime(2026, 11, 3, 3, 0, tzinfo=UTC)
    owed = [Owed(night, TEN_TO_FOUR.add(night, 2 * HOUR)) for _ in range(4)]
    hours = by_hour(staffing(owed, TEN_TO_FOUR), "UTC")

    assert hours == {10: pytest.approx(2.0), 11: pytest.approx(2.0)}


def test_hours_are_those_on_the_brands_wall() -> None:
    """The day that asks for most counts; an hour in which nobody is needed is not named."""
    owed = [Owed(NOON, NOON + HOUR), *[Owed(NOON + 24 * HOUR, NOON + 25 * HOUR)] * 3]

    assert by_hour(staffing(owed), "Europe/Oslo") == {13: pytest.approx(3.0)}
    assert by_hour(staffing(owed), "Asia/Kolkata") == {17: pytest.approx(1.5), 18: pytest.approx(1.5)}


def test_an_hour_counts_answers_and_the_peak_the_haste() -> None:
    """One post a minute before it is due is one answer in its hour, but at a rate of sixty."""
    owed = [Owed(NOON + 59 * MINUTE, NOON + HOUR)]

    assert by_hour(staffing(owed), "UTC") == {12: pytest.approx(1.0)}
    assert peak(staffing(owed)) == pytest.approx(60.0)


def test_the_hour_that_the_clock_skips_or_doubles_is_one_hour() -> None:
    """Two answers around the end of daylight saving time are two answers."""
    begins = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
    owed = [Owed(begins, begins + 2 * HOUR)] * 2

    assert by_hour(staffing(owed), "Europe/Oslo") == {2: pytest.approx(1.0)}


def test_nothing_owed_needs_nobody() -> None:
    """And what was over before it began, nobody can keep."""
    closed = OpeningHours("UTC", TEN_TO_FOUR.week, frozenset({date(2026, 11, 3)}))
    assert (staffing([]), peak([])) == ((), 0.0)
    assert staffing([Owed(NOON, NOON)]) == ()
    assert staffing([Owed(NOON, NOON + HOUR)], closed) == ()
