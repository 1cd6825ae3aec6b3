"""Opening hours: when the brand is there, and how lengths of time are counted on its clock.

All instants are aware UTC; local time is used only to find the ends of days and of opening hours, so
daylight saving cannot make an hour disappear.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice
from zoneinfo import ZoneInfo

HORIZON = timedelta(days=370)
"""How far opening hours are searched; a brand closed for a year has no opening clock."""

Stretch = tuple[datetime, datetime]
"""From an instant (in it) to another (not in it)."""

_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """Opening hours on one day, local time; ``end`` 00:00 means midnight."""

    start: time
    end: time


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """When the brand is there: spans per weekday (Monday is 0), a time zone, and closed days."""

    timezone: str = "UTC"
    week: tuple[tuple[Span, ...], ...] = ((Span(time(0), time(0)),),) * 7
    closed: frozenset[date] = frozenset()

    def spans_from(self, instant: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The open spans that end after ``instant``, in order and without overlap, as UTC instants.

        Hours that the clock skips in spring would otherwise be counted twice.
        """
        zone = ZoneInfo(self.timezone)
        # One day early: a span that crosses midnight belongs to the day it began on.
        day = instant.astimezone(zone).date() - timedelta(days=1)
        last = day + HORIZON
        counted = datetime.min.replace(tzinfo=UTC)
        while day < last:
            if day not in self.closed:
                for span in self.week[day.weekday()]:
                    start = max(_local(day, span.start, zone), counted)
                    end = _span_end(day, span, zone)
                    if end > max(instant, start):
                        yield start, end
                    counted = max(counted, end)
            day += timedelta(days=1)

    def is_open(self, instant: datetime) -> bool:
        """Whether the brand is there at an instant; at the very end of a span it is not."""
        return any(start <= instant for start, _ in islice(self.spans_from(instant), 1))

    def opens(self, instant: datetime) -> datetime:
        """The first instant from ``instant`` on that the brand is there.

        Raises:
            ValueError: it is not there within a year.
        """
        return self.add(instant, timedelta(0))

    def add(self, instant: datetime, length: timedelta, pauses: Sequence[Stretch] = ()) -> datetime:
        """``instant`` plus ``length`` of opening time outside the pauses.

        Raises:
            ValueError: the brand does not open for that long within a year.
        """
        return _add(self.spans_from(instant), instant, length, pauses)

    def end_of_day(self, instant: datetime, pauses: Sequence[Stretch] = ()) -> datetime:
        """The midnight that ends the local day of ``instant``, or of the end of a pause that runs past it."""
        return _moved_on(self._midnight_after, instant, pauses)

    def end_of_open_day(self, instant: datetime, pauses: Sequence[Stretch] = ()) -> datetime:
        """When the brand closes on the day it is next open after ``instant``, or after a pause past that.

        Raises:
            ValueError: the brand is not open within a year.
        """
        return _moved_on(self._closing_after, instant, pauses)

    def _midnight_after(self, instant: datetime) -> datetime:
        zone = ZoneInfo(self.timezone)
        return _local(instant.astimezone(zone).date() + timedelta(days=1), time(0), zone)

    def _closing_after(self, instant: datetime) -> datetime:
        zone = ZoneInfo(self.timezone)
        opened_on: date | None = None
        closing: datetime | None = None
        for start, end in self.spans_from(instant):
            day = start.astimezone(zone).date()
            if opened_on not in (None, day):
                break
            opened_on, closing = day, end
        if closing is None:
            raise ValueError("the opening hours have no open day within a year")
        return closing


ALWAYS = OpeningHours()
"""Open day and night, in UTC."""


def add(instant: datetime, length: timedelta, pauses: Sequence[Stretch] = ()) -> datetime:
    """``instant`` plus ``length`` on the plain clock, outside the pauses."""
    return _add([(instant, _NEVER)], instant, length, pauses)


def _add(
    spans: Iterable[Stretch], instant: datetime, length: timedelta, pauses: Sequence[Stretch]
) -> datetime:
    left = length
    for start, end in _outside(sorted(pauses), spans):
        begin = max(start, instant)
        if begin + left <= end:
            return begin + left
        left -= max(end - begin, timedelta(0))
    raise ValueError("the opening hours leave no time to keep this promise within a year")


def _outside(pauses: Sequence[Stretch], spans: Iterable[Stretch]) -> Iterator[Stretch]:
    """What is left of the spans; the pauses are in order of their beginnings and may overlap."""
    for start, end in spans:
        begin = start
        for stops, goes_on in pauses:
            if stops >= end:
                break
            if begin < stops:
                yield begin, stops
            begin = max(begin, goes_on)
        if begin < end:
            yield begin, end


def _moved_on(
    end_of: Callable[[datetime], datetime], instant: datetime, pauses: Sequence[Stretch]
) -> datetime:
    """The end of the day of ``instant``; a pause that is not over by then moves it to that of its own end."""
    end = end_of(instant)
    for stops, goes_on in sorted(pauses):
        if instant < goes_on and stops < end:
            end = max(end, end_of(goes_on))
    return end


@lru_cache(maxsize=4096)
def _local(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, tzinfo=zone).astimezone(UTC)


def _span_end(day: date, span: Span, zone: ZoneInfo) -> datetime:
    past_midnight = span.end <= span.start
    return _local(day + timedelta(days=1) if past_midnight else day, span.end, zone)
