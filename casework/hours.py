"""Opening hours: when the brand is there, and how lengths of time are counted on its clock.

All instants are aware UTC; local time is used only to find the ends of days and of opening hours, so
daylight saving cannot make an hour disappear. The rules where calendars and clocks leave room:

- A time on the wall is the first instant at which the wall shows it **or a later one**. So opening hours
  begin and end with the first showing of a time that the clock shows twice (while an hour is shown again the
  brand stays as it was when the clock went back), and at the change itself for a time that the clock skips:
  hours that lie wholly in a skipped hour are none.
- Opening hours belong to the day on which they begin, also past midnight and when a part is closed. A closed
  day has none of its own; those that run into it from the day before stay. A closed stretch closes whatever
  it covers.
- The day of an instant ends at the first later midnight, or at the change if the clock skips midnight.
- A length is counted outside pauses, and ends with the last instant counted: an hour that fills the time up
  to closing is due at closing, not when the brand opens again.
- A promise of a day is due at the end of the (open) day of its start. A pause that began before that end and
  is not over before it moves it to the end of the (open) day of the pause's own end; so a pause that ends on
  the stroke of midnight leaves the day that begins then.
- Opening hours are looked for on `HORIZON` days, from the day before the instant's. What is not found by then
  is not there.
"""

from bisect import bisect_right
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
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Span:
    """Opening hours on one day, local time; ``end`` 00:00 means midnight."""

    start: time
    end: time


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """When the brand is there: spans per weekday (Monday is 0), a time zone, and what is closed.

    ``closed`` are days without opening hours; ``closed_at`` are stretches, as `merged` gives them.
    """

    timezone: str = "UTC"
    week: tuple[tuple[Span, ...], ...] = ((Span(time(0), time(0)),),) * 7
    closed: frozenset[date] = frozenset()
    closed_at: tuple[Stretch, ...] = ()

    def of_day(self, day: date) -> tuple[Stretch, ...]:
        """The opening hours that belong to a day, in order; the last may end on the next."""
        if day in self.closed:
            return ()
        zone = ZoneInfo(self.timezone)
        spans = [
            (wall(day, span.start, zone), _span_end(day, span, zone)) for span in self.week[day.weekday()]
        ]
        ahead = bisect_right(self.closed_at, spans[0][0], key=_end) if spans else 0
        return tuple(_outside(self.closed_at[ahead:], spans))

    def spans_from(self, instant: datetime) -> Iterator[Stretch]:
        """The open spans that end after ``instant``, in order and without overlap."""
        for _, span in self._days_from(instant):
            yield span

    def _days_from(self, instant: datetime) -> Iterator[tuple[date, Stretch]]:
        # One day early: a span that crosses midnight belongs to the day it began on.
        day = self._day(instant) - timedelta(days=1)
        last = day + HORIZON
        counted = datetime.min.replace(tzinfo=UTC)
        while day < last:
            for start, end in self.of_day(day):
                begin = max(start, counted)
                if end > max(instant, begin):
                    yield day, (begin, end)
                counted = max(counted, end)
            day += timedelta(days=1)

    def _day(self, instant: datetime) -> date:
        return instant.astimezone(ZoneInfo(self.timezone)).date()

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
        zone, tomorrow = ZoneInfo(self.timezone), self._day(instant) + timedelta(days=1)
        midnight = wall(tomorrow, time(0), zone)
        if midnight > instant:
            return midnight
        # The clock went back over midnight, and the day comes a second time.
        return datetime.combine(tomorrow, time(0, fold=1), tzinfo=zone).astimezone(UTC)

    def _closing_after(self, instant: datetime) -> datetime:
        opened_on: date | None = None
        closing: datetime | None = None
        for day, (_, end) in self._days_from(instant):
            if opened_on not in (None, day):
                break
            opened_on, closing = day, end
        if closing is None:
            raise ValueError("the opening hours have no open day within a year")
        return closing


ALWAYS = OpeningHours()
"""Open day and night, in UTC."""


def merged(stretches: Iterable[Stretch]) -> tuple[Stretch, ...]:
    """The same stretches in order, with those that overlap or touch made one."""
    joined: list[Stretch] = []
    for start, end in sorted(stretches):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        elif start < end:
            joined.append((start, end))
    return tuple(joined)


def add(instant: datetime, length: timedelta, pauses: Sequence[Stretch] = ()) -> datetime:
    """``instant`` plus ``length`` on the plain clock, outside the pauses."""
    return _add([(instant, _NEVER)], instant, length, pauses)


@lru_cache(maxsize=8192)
def wall(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The first instant at which the wall shows this time of this day, or a later one."""
    shown = datetime.combine(day, at, tzinfo=zone)
    instant = shown.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == shown.replace(tzinfo=None):
        return instant
    return _skipped(shown, instant, zone)


def _skipped(shown: datetime, late: datetime, zone: ZoneInfo) -> datetime:
    """When the clock was put forward over a time that it never showed."""
    early = shown.replace(fold=1).astimezone(UTC)
    ahead = late.astimezone(zone).utcoffset()
    while late - early > _SECOND:
        middle = early + (late - early) // (2 * _SECOND) * _SECOND
        if middle.astimezone(zone).utcoffset() == ahead:
            late = middle
        else:
            early = middle
    return late


def _add(
    spans: Iterable[Stretch], instant: datetime, length: timedelta, pauses: Sequence[Stretch]
) -> datetime:
    left = length
    for start, end in _outside(sorted(pauses), spans):
        begin = max(start, instant)
        if begin < end and begin + left <= end:
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
    """The end of the day of ``instant``, or of that of the end of a pause that is not over before it."""
    end = end_of(instant)
    for stops, goes_on in sorted(pauses):
        if instant < goes_on and stops < end <= goes_on:
            end = end_of(goes_on)
    return end


def _end(stretch: Stretch) -> datetime:
    return stretch[1]


def _span_end(day: date, span: Span, zone: ZoneInfo) -> datetime:
    past_midnight = span.end <= span.start
    return wall(day + timedelta(days=1) if past_midnight else day, span.end, zone)
