"""How people write lengths of time, shares, opening hours, days and amounts, read into typed values.

Each reader takes what stands in the file and returns the value, or raises a ValueError whose sentence
says how to write it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from casework.hours import Span
from casework.sla import Warning as EarlyWarning

DAY = timedelta(days=1)
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ALL_DAY = Span(time(0), time(0))

_UNITS: Mapping[str, timedelta] = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": DAY,
    "w": timedelta(weeks=1),
    "y": timedelta(days=365),
}
_LONGEST = timedelta(days=365 * 100)
_LONGEST_CLOSED = timedelta(days=365 * 5)
_LENGTH = re.compile(r"(?:[0-9]{1,9}[smhdwy])+")
_LENGTH_PART = re.compile(r"([0-9]+)([smhdwy])")
_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]+)?)%")
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})")
_SPAN = re.compile(r"([0-9]{1,2}:[0-9]{2})-([0-9]{1,2}:[0-9]{2})")
_MONEY = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,2})?) ?([A-Z]{3})")
_CAP = re.compile(r"([0-9]{1,6}) per (hour|day|week)")
_BOUND = re.compile(r"(>=|<) ?([0-9.]+%?)")

_SAY_LENGTH = "write a length of time such as 30m, 1h or 2d"
_SAY_SHARE = "write a share such as 90%"
_SAY_SPAN = 'write opening hours such as "08:00-22:00", a list of them, 24h or closed'
_SAY_DAYS = "write weekdays such as mon, sat-sun or mon-fri"
_SAY_CLOSED = "write a day such as 2026-12-24, or days such as 2026-12-24..2026-12-31"
_SAY_BOUND = 'write a bound such as ">=0.9" or "<0.6"'


@dataclass(frozen=True, slots=True)
class Within:
    """The time a promise gives; ``length`` of None means by the end of the day."""

    length: timedelta | None


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in one currency."""

    amount: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


@dataclass(frozen=True, slots=True)
class Cap:
    """At most ``count`` in each ``per``."""

    count: int
    per: timedelta


@dataclass(frozen=True, slots=True)
class Bound:
    """A value of at least ``at_least``, or one of less than ``below``."""

    at_least: float | None = None
    below: float | None = None


@dataclass(frozen=True, slots=True)
class ClosedDays:
    """A day, or all days from the first to the last."""

    first: date
    last: date

    def __iter__(self) -> Iterator[date]:
        return (self.first + DAY * step for step in range((self.last - self.first).days + 1))

    def __str__(self) -> str:
        return f"{self.first}" if self.first == self.last else f"{self.first}..{self.last}"


def read_length(value: object) -> timedelta:
    """``90s``, ``30m``, ``1h``, ``2d``, ``1w``, ``2y`` and sums such as ``1h30m``."""
    if isinstance(value, timedelta):
        return value
    text = value.replace(" ", "") if isinstance(value, str) else ""
    if not _LENGTH.fullmatch(text):
        raise ValueError(_SAY_LENGTH)
    try:
        length = sum((int(count) * _UNITS[unit] for count, unit in _LENGTH_PART.findall(text)), timedelta(0))
    except OverflowError:
        length = _LONGEST + DAY
    if length > _LONGEST:
        raise ValueError("write a shorter length of time: this is more than 100 years")
    return length


def say_length(length: timedelta) -> str:
    """The length as people write it: ``1h30m``."""
    left, words = length, ""
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, _UNITS[unit])
        words += f"{count}{unit}" if count else ""
    return words or "0m"


def say_hours(length: timedelta) -> str:
    """The length in hours and minutes, as opening hours are counted: ``70h``, ``37h30m``."""
    hours, minutes = divmod(length // _UNITS["m"], 60)
    return f"{hours}h{minutes}m" if minutes else f"{hours}h"


def read_within(value: object) -> Within:
    """A length of time, or ``day`` for the end of the day."""
    if isinstance(value, Within):
        return value
    if value == "day":
        return Within(None)
    length = read_length(value)
    if not length:
        raise ValueError(_SAY_LENGTH)
    return Within(length)


def read_share(value: object) -> float:
    """``90%``, or a number above 0 and up to 1."""
    if isinstance(value, str) and (found := _SHARE.fullmatch(value.strip())):
        share = float(found[1]) / 100
    elif isinstance(value, int | float) and not isinstance(value, bool):
        share = float(value)
    else:
        raise ValueError(_SAY_SHARE)
    if not 0 < share <= 1:
        raise ValueError(f"{_SAY_SHARE}, more than 0% and at most 100%")
    return share


def read_warning(value: object) -> EarlyWarning:
    """``50%`` of the time gone, or ``2h left``."""
    if isinstance(value, EarlyWarning):
        return value
    text = value.strip() if isinstance(value, str) else ""
    try:
        if text.endswith("left"):
            left = read_length(text.removesuffix("left"))
            if left:
                return EarlyWarning(left=left)
        elif text.endswith("%") and (share := read_share(text)) < 1:
            return EarlyWarning(share=share)
    except ValueError:
        pass
    raise ValueError("write a warning such as 50% (of the time gone) or 2h left")


def read_time(value: object) -> time:
    """``17:30``; ``24:00`` is midnight."""
    if isinstance(value, time):
        return value
    found = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    hour, minute = (int(found[1]), int(found[2])) if found else (99, 99)
    if (hour, minute) == (24, 0):
        return time(0)
    if hour > 23 or minute > 59:
        raise ValueError('write a time of day such as "17:30"')
    return time(hour, minute)


def read_spans(value: object) -> tuple[Span, ...]:
    """``"08:00-22:00"``, a list of such spans, ``24h`` or ``closed``. A span may cross midnight."""
    if value == "closed":
        return ()
    if value in ("24h", "always"):
        return (ALL_DAY,)
    texts = value if isinstance(value, list | tuple) else [value]
    spans = sorted((_read_span(text) for text in texts), key=lambda span: span.start)
    if not spans:
        raise ValueError(_SAY_SPAN)
    return tuple(spans)


def _read_span(value: object) -> Span:
    if isinstance(value, Span):
        return value
    found = _SPAN.fullmatch(value.replace(" ", "").replace("–", "-")) if isinstance(value, str) else None
    if found is None:
        raise ValueError(_SAY_SPAN)
    span = Span(read_time(found[1]), read_time(found[2]))
    if span.start == span.end and span.start != time(0):
        raise ValueError(f"{found[0]} opens and closes at the same minute; write 24h for the whole day")
    return span


def read_quiet(value: object) -> Span:
    """``"22:00-07:00"``: quiet hours of each night. They end, or nobody would ever be told of anything."""
    span = _read_span(value)
    if span.start == span.end:
        raise ValueError("quiet hours that never end would hide every broken promise; write 22:00-07:00")
    return span


def read_closed(value: object) -> ClosedDays:
    """``2026-12-24``, or ``2026-12-24..2026-12-31`` with its first and its last day."""
    if isinstance(value, ClosedDays):
        return value
    first, dots, last = value.partition("..") if isinstance(value, str) else (value, "", "")
    days = ClosedDays(_read_day(first), _read_day(last if dots else first))
    if days.last < days.first:
        raise ValueError(f"{days} ends before it begins; write the earlier day first")
    if days.last - days.first > _LONGEST_CLOSED:
        raise ValueError("write fewer days: these are more than five years")
    return days


def _read_day(value: object) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value.strip() if isinstance(value, str) else "")
    except ValueError:
        raise ValueError(_SAY_CLOSED) from None


def read_days(text: str) -> tuple[int, ...]:
    """``mon-fri``, ``sat`` or ``mon, wed``: weekday numbers, Monday is 0."""
    days: list[int] = []
    for part in text.lower().replace(" ", "").split(","):
        first, _, last = part.partition("-")
        try:
            start, end = WEEKDAYS.index(first[:3]), WEEKDAYS.index((last or first)[:3])
        except ValueError:
            raise ValueError(_SAY_DAYS) from None
        days += [(start + step) % 7 for step in range((end - start) % 7 + 1)]
    return tuple(days)


def read_money(value: object) -> Money:
    """``5.00 USD``."""
    if isinstance(value, Money):
        return value
    found = _MONEY.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError("write an amount with its currency, such as 5.00 USD")
    return Money(Decimal(found[1]), found[2])


def read_cap(value: object) -> Cap:
    """``1 per day``."""
    if isinstance(value, Cap):
        return value
    found = _CAP.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError("write a limit such as 1 per day (or per hour, per week)")
    return Cap(int(found[1]), {"hour": _UNITS["h"], "day": DAY, "week": _UNITS["w"]}[found[2]])


def read_times_usual(value: object) -> float:
    """``4x``: so many times the usual number."""
    if isinstance(value, float):
        return value
    try:
        usual = float(value.strip().removesuffix("x")) if isinstance(value, str) and "x" in value else 0.0
    except ValueError:
        usual = 0.0
    if not 1 < usual < 1000:
        raise ValueError("write how many times the usual number, such as 4x")
    return usual


def read_bound(value: object) -> Bound:
    """``">=0.9"`` or ``"<0.6"``; per cent will do too."""
    if isinstance(value, Bound):
        return value
    found = _BOUND.fullmatch(value.strip()) if isinstance(value, str) else None
    try:
        number = read_share(found[2] if found[2].endswith("%") else float(found[2])) if found else 0.0
    except ValueError:
        number = 0.0
    if not found or not number:
        raise ValueError(_SAY_BOUND)
    return Bound(at_least=number) if found[1] == ">=" else Bound(below=number)
