"""Random promises on random calendars, and whether `casework.hours` and the minute walk agree on them."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from random import Random
from zoneinfo import ZoneInfo

from casework.hours import OpeningHours, Span, Stretch, add, merged
from casework.sla import MetBy, PromisePolicy
from tests.casework.minute_walk import DAY, WEEK, Walk, instant_of, minute_of, plain_after

ZONES = (
    "Europe/Oslo",
    "Europe/London",
    "Europe/Istanbul",  # Stopped changing in 2016.
    "Europe/Moscow",  # Two lasting changes.
    "Africa/Cairo",  # Changes at midnight; years without.
    "Africa/Casablanca",  # Goes back for Ramadan.
    "Asia/Beirut",  # Skips midnight.
    "Asia/Amman",  # Stopped in 2022.
    "Asia/Tehran",  # Stopped in 2022; half an hour off.
    "America/New_York",
    "America/St_Johns",  # Half an hour off; until 2011 a minute past midnight.
    "America/Havana",  # Back from one to midnight.
    "America/Santiago",  # Southern; skips midnight.
    "America/Asuncion",  # Stopped in 2024.
    "America/Sao_Paulo",  # Stopped in 2019; skips midnight.
    "America/Scoresbysund",  # Back over midnight.
    "Australia/Adelaide",  # Southern; half an hour off.
    "Australia/Lord_Howe",  # Changes by half an hour.
    "Pacific/Auckland",
    "Pacific/Chatham",  # Three quarters of an hour off.
    "Pacific/Apia",  # Left a whole day out.
    "Antarctica/Troll",  # Changes by two hours.
)
YEARS = range(2005, 2038)

Minutes = tuple[int, int]
Week = tuple[tuple[Minutes, ...], ...]


@dataclass(frozen=True)
class Case:
    """A promise to date: its length (None is a day), its clock and calendar, its start and its pauses."""

    timezone: str
    week: Week
    closed: frozenset[date]
    closed_at: tuple[Minutes, ...]
    length: int | None
    opening: bool
    start: int
    pauses: tuple[Minutes, ...]

    def hours(self) -> OpeningHours:
        """The calendar as the product has it."""
        week = tuple(tuple(Span(_time(begin), _time(end)) for begin, end in spans) for spans in self.week)
        return OpeningHours(self.timezone, week, self.closed, merged(_stretches(self.closed_at)))

    def walk(self) -> Walk:
        """The calendar to walk."""
        return Walk(self.timezone, self.week, self.closed, self.closed_at)


def due(case: Case) -> datetime | None:
    """When the promise is due, as the product says; None if its calendar never lets it."""
    hours, at, pauses = case.hours(), instant_of(case.start), _stretches(case.pauses)
    try:
        if case.length is None:
            return hours.end_of_open_day(at, pauses) if case.opening else hours.end_of_day(at, pauses)
        length = timedelta(minutes=case.length)
        return hours.add(at, length, pauses) if case.opening else add(at, length, pauses)
    except ValueError:
        return None


def due_by_walking(case: Case) -> datetime | None:
    """When it is due, as the walk says."""
    walk = case.walk()
    if case.length is None:
        end_of = walk.end_of_open_day if case.opening else walk.end_of_day
        end = end_of(case.start, case.pauses)
    elif case.opening:
        end = walk.after(case.start, case.length, case.pauses)
    else:
        end = plain_after(case.start, case.length, case.pauses)
    return None if end is None else instant_of(end)


def promised(case: Case) -> datetime | None:
    """When a promise that is not paused is due, by the whole of what the product does when it begins."""
    within = None if case.length is None else timedelta(minutes=case.length)
    policy = PromisePolicy("p", within, MetBy.REPLY, opening_clock=case.opening)
    try:
        return policy.start("x:1", instant_of(case.start), case.hours()).due_at
    except ValueError:
        return None


def opens(case: Case) -> datetime | None:
    """When the brand is next there, as the product says."""
    try:
        return case.hours().opens(instant_of(case.start))
    except ValueError:
        return None


def opens_by_walking(case: Case) -> datetime | None:
    """When it is, as the walk says."""
    minute = case.walk().opens(case.start)
    return None if minute is None else instant_of(minute)


def disagreements(case: Case) -> list[str]:
    """What the product and the walk say differently about a case, in words."""
    walked, next_open = due_by_walking(case), opens_by_walking(case)
    told = {"due": (due(case), walked), "opens": (opens(case), next_open)}
    at = instant_of(case.start)
    told["is open"] = (at if case.hours().is_open(at) else None, at if next_open == at else None)
    if not case.pauses:
        told["promised"] = (promised(case), walked)
    return [
        f"{what}: {ours}, walked {theirs}: {case}" for what, (ours, theirs) in told.items() if ours != theirs
    ]


# ── random cases ─────────────────────────────────────────────────────────────────────────────────


def random_case(random: Random, change: tuple[str, int] | None = None) -> Case:
    """A case; near a change of the clock if one is given, else near a leap day, a year's end or anywhere."""
    timezone = change[0] if change else random.choice(ZONES)
    zone = ZoneInfo(timezone)
    start = (change[1] if change else _moment(random, zone)) + _about(random, change is not None)
    week = _random_week(random)
    opening = random.random() < 0.6
    return Case(
        timezone=timezone,
        week=week,
        closed=_random_days(random, instant_of(start).astimezone(zone).date()),
        closed_at=tuple(_random_stretches(random, start, zone, random.choice((0, 0, 1, 2, 5)))),
        length=None if random.random() < 0.3 else _random_length(random, week),
        opening=opening,
        start=start,
        pauses=tuple(_random_stretches(random, start, zone, random.choice((0, 0, 1, 2, 3, 5)))),
    )


@lru_cache(maxsize=1)
def changes() -> tuple[tuple[str, int], ...]:
    """Every change of the clock in every zone: the zone, and the first minute under the new time."""
    return tuple((timezone, minute) for timezone in ZONES for minute in changes_of(timezone))


@lru_cache(maxsize=64)
def changes_of(timezone: str) -> tuple[int, ...]:
    """The minutes in which a zone changes its clock, in order."""
    zone = ZoneInfo(timezone)
    first, last = (minute_of(datetime(year, 1, 1, tzinfo=UTC)) for year in (YEARS[0], YEARS[-1] + 1))
    found: list[int] = []
    for before in range(first, last, WEEK):
        if _offset(before, zone) != _offset(before + WEEK, zone):
            steps = range(before, before + WEEK + 1)
            here = _offset(before, zone)
            found.append(steps[bisect_left(steps, True, key=lambda step: _offset(step, zone) != here)])
    return tuple(found)


def _offset(minute: int, zone: ZoneInfo) -> timedelta | None:
    return instant_of(minute).astimezone(zone).utcoffset()


def _moment(random: Random, zone: ZoneInfo) -> int:
    year = random.choice(YEARS)
    kind = random.random()
    if kind < 0.35:
        leap = random.choice([year for year in YEARS if year % 4 == 0])
        local = datetime(leap, 2, 29, tzinfo=zone)
    elif kind < 0.7:
        local = datetime(year, 12, 31, 20, tzinfo=zone)
    else:
        local = datetime(year, 1, 1, tzinfo=zone) + timedelta(days=random.randrange(365))
    return minute_of(local)


def _about(random: Random, near: bool) -> int:
    """Minutes from a moment to a start: mostly shortly before it, sometimes right at it or after."""
    if near and random.random() < 0.6:
        return random.randint(-90, 90)
    return random.randint(-3 * DAY, DAY // 2)


def _random_length(random: Random, week: Week) -> int:
    open_week = sum((end - begin) % DAY or DAY for spans in week for begin, end in spans)
    kind = random.random()
    if kind < 0.4:
        return random.randint(1, 180)
    if kind < 0.65:
        return random.randint(1, 2 * DAY)
    if kind < 0.97:
        return random.randint(1, max(open_week, 1) * random.randint(1, 4))
    return random.randint(1, max(open_week, 1) * 56)


def _random_week(random: Random) -> Week:
    kind = random.random()
    if kind < 0.05:
        return (((0, 0),),) * 7
    if kind < 0.3:
        return (_random_spans(random),) * 7
    days = [() if random.random() < 0.2 else _random_spans(random) for _ in range(7)]
    return tuple(_into_night(random, days, weekday) for weekday in range(7))


def _random_spans(random: Random) -> tuple[Minutes, ...]:
    step = random.choice((1, 5, 15, 30, 60))
    # Clocks change in the first hours of a day.
    latest = random.choice((DAY, DAY, 5 * 60))
    points = range(0, latest + 1, step)
    chosen = sorted(random.sample(points, min(len(points) // 2, random.randint(1, 4)) * 2))
    spans = list(zip(chosen[::2], chosen[1::2], strict=True))
    if len(spans) > 1 and random.random() < 0.2:
        # Two that touch.
        spans[1] = spans[0][1], spans[1][1]
    return tuple((begin, end % DAY) for begin, end in spans)


def _into_night(random: Random, days: list[tuple[Minutes, ...]], weekday: int) -> tuple[Minutes, ...]:
    """The day's hours; some go on past midnight, until the next day's at the latest."""
    spans, tomorrow = days[weekday], days[(weekday + 1) % 7]
    latest = min(tomorrow[0][0] if tomorrow else DAY, spans[-1][0] if spans else 0)
    if latest < 1 or random.random() < 0.6:
        return spans
    return (*spans[:-1], (spans[-1][0], random.randint(1, latest)))


def _random_days(random: Random, about: date) -> frozenset[date]:
    count = random.choice((0, 0, 1, 3, 20))
    return frozenset(about + timedelta(days=random.randint(-3, 40)) for _ in range(count))


def _random_stretches(random: Random, start: int, zone: ZoneInfo, count: int) -> Iterator[Minutes]:
    end = start
    for _ in range(count):
        kind = random.random()
        if kind < 0.2:
            begin = end  # Right after the one before.
        elif kind < 0.35:
            begin = _midnight(start + random.randint(-DAY, 7 * DAY), zone)
        else:
            begin = start + random.randint(-DAY, random.choice((DAY, 3 * DAY, 20 * DAY)))
        end = begin + random.randint(1, random.choice((120, DAY, 5 * DAY)))
        if random.random() < 0.15:
            end = max(_midnight(end, zone), begin + 1)
        yield begin, end


def _midnight(minute: int, zone: ZoneInfo) -> int:
    day = instant_of(minute).astimezone(zone).date()
    return minute_of(datetime.combine(day, time(0), tzinfo=zone))


def _time(minute: int) -> time:
    return time(*divmod(minute, 60))


def _stretches(pairs: tuple[Minutes, ...]) -> tuple[Stretch, ...]:
    return tuple((instant_of(begin), instant_of(end)) for begin, end in pairs)
