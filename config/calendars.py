"""Reads calendar files (iCal): the days and hours on which the brand is closed besides its holidays.

An all-day event closes its days, one with times those hours; a cancelled one closes nothing. Times without a
zone are read in the brand's. Nothing is ever fetched.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from casework.errors import HeardError
from casework.hours import Stretch, merged, wall

if TYPE_CHECKING:
    from icalendar import Event

LARGEST = 1_000_000
"""Bytes. A year of closures is a few kilobytes."""

_DAY = timedelta(days=1)
_OFTEN = ("SECONDLY", "MINUTELY", "HOURLY")
_TIMES_OF_DAY = ("BYHOUR", "BYMINUTE", "BYSECOND")
_MOST_TIMES_A_DAY = 24
_READ = ("DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID")


class BadCalendar(HeardError):
    """The file is no calendar that Heard can use; the text says why."""


@dataclass(frozen=True, slots=True)
class Closures:
    """What calendars close: whole days where the brand is, and stretches."""

    days: frozenset[date] = frozenset()
    stretches: tuple[Stretch, ...] = ()


def read_calendar(path: Path) -> bytes:
    """The bytes of a calendar file.

    Raises:
        BadCalendar: there is no such file, or it cannot be read.
    """
    try:
        if path.is_dir():
            raise BadCalendar("this is a folder, not a calendar file")
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise BadCalendar(f"there is no file {path}") from None
    except (OSError, ValueError) as error:
        raise BadCalendar(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > LARGEST:
        raise BadCalendar("the file is larger than 1 MB; export only the closures")
    return data


@lru_cache(maxsize=32)
def closures(data: bytes, timezone: str, first: date, until: date) -> Closures:
    """What a calendar closes from the day ``first`` to before the day ``until``; repeated events each time.

    Raises:
        BadCalendar: it is broken, or names what Heard does not know.
    """
    zone = ZoneInfo(timezone)
    days = set[date]()
    stretches: list[Stretch] = []
    for event in _events(data, first, until):
        begin, end = event.start, event.end
        if isinstance(begin, datetime):
            stretches.append((_instant(begin, zone), _instant(end, zone)))
        else:
            days.update(_days(max(begin, first), min(end, until)))
    return Closures(frozenset(days), merged(stretches))


def _events(data: bytes, first: date, until: date) -> list["Event"]:
    try:
        text = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise BadCalendar("the file is not UTF-8 text; save it as UTF-8") from None
    if not text.upper().startswith("BEGIN:VCALENDAR"):
        raise BadCalendar("this is no iCal file: it does not begin with BEGIN:VCALENDAR")
    if not text.upper().endswith("END:VCALENDAR"):
        raise BadCalendar("the file ends in the middle of a calendar; export it again")
    try:
        return list(_expanded(text, first, until))
    except BadCalendar:
        raise
    except Exception as error:
        # The libraries raise whatever their own code stumbles over.
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadCalendar(f"this is no calendar that Heard can read: {why[:120]}") from None


def _expanded(text: str, first: date, until: date) -> Iterator["Event"]:
    # They take a fifth of a second to import, and few brands have calendars.
    from icalendar import Calendar
    from recurring_ical_events import of  # type: ignore[import-untyped]  # ships no types

    for calendar in Calendar.from_ical(text, multiple=True):
        for event in calendar.events:
            _check(event)
        _check_ids(calendar.events)
        # A day more on each side, as days elsewhere begin earlier and end later.
        found: list[Event] = of(calendar).between(first - _DAY, until + _DAY)
        yield from (event for event in found if str(event.get("STATUS", "")).upper() != "CANCELLED")


def _check(event: "Event") -> None:
    if "DTSTART" not in event:
        raise BadCalendar(f"{_named(event)} has no beginning (DTSTART)")
    for name, why in event.errors:
        if name in _READ:
            raise BadCalendar(f"{_named(event)} has a broken {name}: {str(why)[:80]}")
    for key in ("DTSTART", "DTEND"):
        zone = event[key].params.get("TZID") if key in event else None
        moment = getattr(event.get(key), "dt", None)
        if zone and isinstance(moment, datetime) and moment.tzinfo is None:
            raise BadCalendar(f"{_named(event)} is in a time zone that Heard does not know: {str(zone)[:40]}")
    if event.end < event.start:
        raise BadCalendar(f"{_named(event)} ends before it begins")
    _check_rules(event)


def _check_ids(events: Sequence["Event"]) -> None:
    # Of two events with one UID the library takes one, as the newer form of the other.
    seen = set[tuple[str, ...]]()
    for event in events:
        names = (event.get(key) for key in ("UID", "SEQUENCE", "RECURRENCE-ID"))
        known = tuple("" if name is None else name.to_ical().decode() for name in names)
        if known[0] and known in seen:
            raise BadCalendar(f"{_named(event)} has the UID of another event; give each its own")
        seen.add(known)


def _check_rules(event: "Event") -> None:
    rules = event.get("RRULE", [])
    for rule in rules if isinstance(rules, list) else [rules]:
        times = 1
        for part in _TIMES_OF_DAY:
            times *= max(1, len(rule.get(part, ())))
        if times > _MOST_TIMES_A_DAY or any(str(word).upper() in _OFTEN for word in rule.get("FREQ", ())):
            raise BadCalendar(f"{_named(event)} repeats many times a day; write such hours under `open`")


def _named(event: "Event") -> str:
    name = str(event.get("SUMMARY", "")).strip()
    return f"the event `{name[:40]}`" if name else "an event without a name"


def _instant(moment: date, zone: ZoneInfo) -> datetime:
    if not isinstance(moment, datetime):
        return wall(moment, datetime.min.time(), zone)
    if moment.tzinfo is None:
        return wall(moment.date(), moment.time(), zone)
    return moment.astimezone(UTC)


def _days(first: date, until: date) -> Iterator[date]:
    while first < until:
        yield first
        first += _DAY
