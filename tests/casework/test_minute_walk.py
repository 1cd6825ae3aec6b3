"""Deadlines against a walk of real minutes: every change of the clock, leap days, year ends, pauses."""

from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from casework.hours import OpeningHours, Span, add, merged, wall
from tests.casework.deadline_cases import ZONES, Case, changes, disagreements, random_case
from tests.casework.minute_walk import DAY, Walk, instant_of, minute_of

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def test_deadlines_are_what_walking_the_minutes_finds() -> None:
    """A few hundred of the cases of `make deadlines`: near clock changes, and anywhere."""
    random = Random(6)
    near = [random_case(random, change) for change in random.sample(changes(), 300)]
    anywhere = [random_case(random) for _ in range(200)]
    assert [told for case in (*near, *anywhere) for told in disagreements(case)] == []


def test_the_walk_itself_counts_minutes_by_what_the_wall_shows() -> None:
    """Oslo, the night to 29 March 2026: open from one to four is two hours, and the walk finds so."""
    walk = Walk("Europe/Oslo", (((60, 240),),) * 7, frozenset(), ())
    midnight = minute_of(datetime(2026, 3, 28, 23, tzinfo=UTC))
    assert walk.after(midnight, 120, ()) == midnight + 3 * 60
    assert walk.after(midnight, 121, ()) == midnight + DAY + 1
    assert walk.after(midnight, 30, [(midnight + 70, midnight + 80)]) == midnight + 100
    assert walk.end_of_day(midnight, ()) == midnight + 23 * 60
    assert Walk("UTC", ((),) * 7, frozenset(), ()).opens(midnight) is None


def test_every_zone_changed_its_clock_in_these_years() -> None:
    """The cases stand on real changes, by half an hour, two hours and a whole day too."""
    assert {zone for zone, _ in changes()} == set(ZONES)
    assert len(changes()) > 1000


# ── the rules where calendars and clocks leave room, each by its case ────────────────────────────


def local(zone: str, *when: int, fold: int = 0) -> datetime:
    year, month, day, hour, minute = when
    return datetime(year, month, day, hour, minute, tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


def daily(zone: str, *spans: tuple[time, time]) -> OpeningHours:
    return OpeningHours(zone, (tuple(Span(start, end) for start, end in spans),) * 7)


@pytest.mark.parametrize(
    ("span", "minutes"),
    [
        ((time(2), time(2, 30)), 0),
        ((time(2, 15), time(2, 45)), 0),
        ((time(1, 30), time(2, 30)), 30),
        ((time(2, 45), time(3, 15)), 15),
        ((time(1), time(4)), 120),
    ],
    ids=["within it, from its start", "within it", "ends in it", "begins in it", "holds it"],
)
def test_hours_in_a_skipped_hour_end_and_begin_at_the_change(span: tuple[time, time], minutes: int) -> None:
    """Oslo's two to three on 29 March 2026 never comes: only what the wall does show is open."""
    hours = daily("Europe/Oslo", span)
    opened = sum((end - start for start, end in hours.of_day(date(2026, 3, 29))), timedelta(0))
    assert opened == minutes * MINUTE


@pytest.mark.parametrize(
    ("span", "minutes"),
    [
        ((time(2), time(2, 30)), 30),
        ((time(1), time(2, 30)), 90),
        ((time(2, 30), time(4)), 150),
        ((time(1), time(4)), 240),
    ],
    ids=["within it", "ends in it", "begins in it", "holds it"],
)
def test_hours_in_a_repeated_hour_are_those_of_its_first_showing(
    span: tuple[time, time], minutes: int
) -> None:
    """Oslo, 25 October 2026: who closed at half past two stays closed, who opened then stays open."""
    hours = daily("Europe/Oslo", span)
    opened = sum((end - start for start, end in hours.of_day(date(2026, 10, 25))), timedelta(0))
    assert opened == minutes * MINUTE


@pytest.mark.parametrize(
    ("zone", "day", "at", "shown"),
    [
        ("Africa/Cairo", date(2026, 4, 24), time(0), datetime(2026, 4, 23, 22, tzinfo=UTC)),
        ("Africa/Cairo", date(2026, 4, 24), time(0, 30), datetime(2026, 4, 23, 22, tzinfo=UTC)),
        ("Australia/Lord_Howe", date(2026, 10, 4), time(2, 15), datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
        ("Pacific/Apia", date(2011, 12, 30), time(12), datetime(2011, 12, 30, 10, tzinfo=UTC)),
        ("America/Havana", date(2026, 11, 1), time(0, 30), datetime(2026, 11, 1, 4, 30, tzinfo=UTC)),
    ],
)
def test_a_time_on_the_wall_is_the_first_instant_that_shows_it_or_a_later_one(
    zone: str, day: date, at: time, shown: datetime
) -> None:
    """A skipped midnight, half an hour, a whole day; and the first of two."""
    assert wall(day, at, ZoneInfo(zone)) == shown


def test_a_day_that_comes_a_second_time_ends_at_its_second_midnight() -> None:
    """St. John's went back at 0:01 to 23:01 of the day before: its Saturday came again, and ended again."""
    zone = "America/St_Johns"
    hours = OpeningHours(zone)
    assert hours.end_of_day(local(zone, 2010, 11, 6, 22, 0)) == local(zone, 2010, 11, 7, 0, 0)
    again = local(zone, 2010, 11, 6, 23, 30, fold=1)
    assert hours.end_of_day(again) == local(zone, 2010, 11, 7, 0, 0, fold=1) == again + 30 * MINUTE


def test_the_rest_of_a_night_belongs_to_the_day_it_began_on() -> None:
    """Monday's night shift, closed until one: its end is Monday's end, not one hour into Tuesday's."""
    hours = OpeningHours(
        "UTC",
        ((Span(time(20), time(4)),),) * 7,
        closed_at=((datetime(2026, 11, 23, 19, tzinfo=UTC), datetime(2026, 11, 24, 1, tzinfo=UTC)),),
    )
    late = datetime(2026, 11, 24, 0, 30, tzinfo=UTC)
    assert hours.opens(late) == datetime(2026, 11, 24, 1, tzinfo=UTC)
    assert hours.end_of_open_day(late) == datetime(2026, 11, 24, 4, tzinfo=UTC)


def test_a_pause_that_ends_on_the_stroke_of_the_day_leaves_the_next_day() -> None:
    """Nobody could keep a promise that is due in the instant in which it goes on."""
    hours = daily("UTC", (time(8), time(16)))
    noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    until_closing, until_midnight = [(noon, noon + 4 * HOUR)], [(noon, noon + 12 * HOUR)]
    assert hours.end_of_open_day(noon, until_closing) == datetime(2026, 11, 25, 16, tzinfo=UTC)
    assert hours.end_of_day(noon, until_midnight) == datetime(2026, 11, 26, tzinfo=UTC)
    one_minute_less = [(noon, noon + 4 * HOUR - MINUTE)]
    assert hours.end_of_open_day(noon, one_minute_less) == datetime(2026, 11, 24, 16, tzinfo=UTC)


def test_a_brand_is_next_there_after_what_is_closed() -> None:
    """A closed stretch that begins right now is not a moment in which the brand is there."""
    noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    hours = OpeningHours("UTC", closed_at=((noon, noon + HOUR),))
    assert not hours.is_open(noon)
    assert hours.opens(noon) == noon + HOUR
    assert add(noon, timedelta(0), [(noon, noon + HOUR)]) == noon + HOUR


def test_stretches_that_overlap_or_touch_become_one() -> None:
    """Two calendars close the same afternoon: it is closed once."""
    at = [datetime(2026, 11, 24, hour, tzinfo=UTC) for hour in range(8)]
    stretches = [(at[5], at[6]), (at[0], at[2]), (at[1], at[3]), (at[3], at[4]), (at[7], at[7])]
    assert merged(stretches) == ((at[0], at[4]), (at[5], at[6]))


def test_a_case_says_what_differs() -> None:
    """A disagreement names the case, so that it can be kept."""
    case = Case("UTC", ((),) * 7, frozenset(), (), 60, False, minute_of(datetime(2026, 1, 1, tzinfo=UTC)), ())
    assert disagreements(case) == []
    assert instant_of(case.start) == datetime(2026, 1, 1, tzinfo=UTC)
