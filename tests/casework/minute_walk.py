"""Deadlines found by walking real minutes: an independent second opinion on `casework.hours`.

For every minute of UTC it asks what the wall shows, whether the brand is open then and whether the promise is
paused, and counts. Nothing here is taken from `casework.hours`: it adds nothing up, and it goes from UTC to
the wall only, never back. Times are whole minutes, as numbers since 1970.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Minutes = NDArray[np.int64]
Marks = NDArray[np.bool_]
EndOf = Callable[[int], int | None]

DAY = 24 * 60
WEEK = 7 * DAY
LONGEST_STRIDE = 8 * WEEK
"""Minutes that are looked at in one go, at most."""

BEFORE = 3 * DAY
"""Minutes before a start that tell what the wall showed last."""

SEARCHED_DAYS = 370
"""Opening days from the day before the start's that count; later ones are not looked for."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_EPOCH_WEEKDAY = 3
_CHUNK = 16_384
_HOURS = 256


def minute_of(instant: datetime) -> int:
    """The minute that begins at an instant."""
    return (instant - _EPOCH) // timedelta(minutes=1)


def instant_of(minute: int) -> datetime:
    """When a minute begins."""
    return _EPOCH + timedelta(minutes=minute)


@lru_cache(maxsize=1024)
def _wall_of_chunk(timezone: str, chunk: int) -> Minutes:
    """What the wall shows in each minute of a chunk, as minutes since 1970 on the wall."""
    zone, first = ZoneInfo(timezone), chunk * _CHUNK

    def offset(minute: int) -> int:
        away = datetime.fromtimestamp(minute * 60, zone).utcoffset()
        assert away is not None
        return away // timedelta(minutes=1)

    offsets = np.empty(_CHUNK, np.int64)
    # Four hours that end as they begin are one; else each of their minutes is asked for.
    for begin in range(0, _CHUNK, _HOURS):
        ends = offset(first + begin), offset(first + begin + _HOURS)
        each = ends[:1] if ends[0] == ends[1] else [offset(first + begin + step) for step in range(_HOURS)]
        offsets[begin : begin + _HOURS] = each
    return np.arange(first, first + _CHUNK, dtype=np.int64) + offsets


def wall(timezone: str, first: int, until: int) -> Minutes:
    """What the wall shows in each minute from ``first`` to before ``until``."""
    chunks = range(first // _CHUNK, (until - 1) // _CHUNK + 1)
    shown = np.concatenate([_wall_of_chunk(timezone, chunk) for chunk in chunks])
    begin = first - chunks[0] * _CHUNK
    return shown[begin : begin + until - first]


@dataclass(frozen=True)
class Walk:
    """A calendar to walk: opening hours as minutes of the day, Monday first; an end of 0 is midnight.

    Hours that end no later than they begin go on into the next day. ``closed_at`` and pauses are pairs of
    minutes, the second one no longer in it.
    """

    timezone: str
    week: Sequence[Sequence[tuple[int, int]]]
    closed: frozenset[date]
    closed_at: Sequence[tuple[int, int]]

    def after(self, start: int, length: int, pauses: Sequence[tuple[int, int]]) -> int | None:
        """The end of the last of so many open minutes from ``start`` on that are not paused."""
        counted, left = self._first_day(start), length
        for first, until in _strides(start):
            owners = self.owners(first, until)
            open_minutes = (owners >= 0) & (owners < counted + SEARCHED_DAYS)
            minutes = np.flatnonzero(open_minutes & ~within(pauses, first, until))
            if len(minutes) >= left:
                return first + int(minutes[left - 1]) + 1
            left -= len(minutes)
        return None

    def opens(self, start: int) -> int | None:
        """The first open minute from ``start`` on."""
        end = self.after(start, 1, ())
        return None if end is None else end - 1

    def end_of_day(self, start: int, pauses: Sequence[tuple[int, int]]) -> int | None:
        """The first minute of a later day on the wall; moved on by pauses."""
        return _moved(start, pauses, self._next_day)

    def end_of_open_day(self, start: int, pauses: Sequence[tuple[int, int]]) -> int | None:
        """After the last open minute of the first opening day with one from ``start`` on; moved on too."""
        return _moved(start, pauses, self._closing)

    def owners(self, first: int, until: int) -> Minutes:
        """For each minute the day whose opening hours it belongs to, as days since 1970; closed is -1.

        While the clock shows an hour again, it counts as the latest that was shown.
        """
        shown = np.maximum.accumulate(wall(self.timezone, first - BEFORE, until))[BEFORE:]
        day, of_day = np.divmod(shown, DAY)
        table = _table(tuple(tuple(spans) for spans in self.week))
        back = table[(day + _EPOCH_WEEKDAY) % 7, of_day]
        owner = day - back
        shut = np.array(sorted(each.toordinal() - _EPOCH_DAY for each in self.closed), np.int64)
        closed = (back < 0) | np.isin(owner, shut) | within(self.closed_at, first, until)
        return np.where(closed, -1, owner)

    def _first_day(self, start: int) -> int:
        return int(wall(self.timezone, start, start + 1)[0]) // DAY - 1

    def _next_day(self, start: int) -> int | None:
        days = wall(self.timezone, start, start + 3 * DAY) // DAY
        return start + int(np.flatnonzero(days > days[0])[0])

    def _closing(self, start: int) -> int | None:
        last_day = self._first_day(start) + SEARCHED_DAYS
        opened: int | None = None
        closing: int | None = None
        for first, until in _strides(start):
            owners = self.owners(first, until)
            owners = np.where(owners < last_day, owners, -1)
            minutes = np.flatnonzero(owners >= 0)
            if not len(minutes):
                continue
            if opened is None:
                opened = int(owners[minutes[0]])
            own = minutes[owners[minutes] == opened]
            closing = first + int(own[-1]) + 1 if len(own) else closing
            if len(own) < len(minutes):
                break
        return closing


def _strides(start: int) -> Iterator[tuple[int, int]]:
    """The year from a start on, in stretches that grow: most promises are due within days."""
    first, stride = start, 2 * DAY
    while first < start + (SEARCHED_DAYS + 3) * DAY:
        yield first, first + stride
        first, stride = first + stride, min(2 * stride, LONGEST_STRIDE)


def plain_after(start: int, length: int, pauses: Sequence[tuple[int, int]]) -> int:
    """The end of the last of so many minutes from ``start`` on that are not paused."""
    until = max([start, *(end for _, end in pauses)]) + length
    minutes = np.flatnonzero(~within(pauses, start, until))
    return start + int(minutes[length - 1]) + 1


def within(stretches: Sequence[tuple[int, int]], first: int, until: int) -> Marks:
    """Which minutes from ``first`` to before ``until`` lie in one of the stretches."""
    marks = np.zeros(until - first, np.bool_)
    for begin, end in stretches:
        marks[max(begin - first, 0) : max(end - first, 0)] = True
    return marks


def _moved(start: int, pauses: Sequence[tuple[int, int]], end_of: EndOf) -> int | None:
    end = end_of(start)
    last = max((goes_on for _, goes_on in pauses), default=start)
    while end is not None and end <= last:
        paused = within(pauses, end - 1, last + 1)
        if not paused[0]:
            return end
        # The pause that holds the day's last minute: its own first minute after it.
        goes_on = end - 1 + int(np.flatnonzero(~paused)[0])
        end = end_of(goes_on)
    return end


@lru_cache(maxsize=256)
def _table(week: tuple[tuple[tuple[int, int], ...], ...]) -> Minutes:
    """For each minute of a week: 0 is open by its day's hours, 1 by those of the day before, -1 closed."""
    table = np.full((7, DAY), -1, np.int64)
    for weekday, spans in enumerate(week):
        for begin, end in spans:
            if end > begin:
                table[weekday, begin:end] = 0
            else:
                table[weekday, begin:] = 0
                table[(weekday + 1) % 7, :end] = 1
    return table
