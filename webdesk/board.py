"""How the promises stand: kept and missed today and this week, what is owed now, what falls due next."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from zoneinfo import ZoneInfo

from casework.case import Case
from casework.moves import as_of
from casework.sla import Promise, PromisePolicy, PromiseState
from casework.words import left
from webdesk.views import State, promise_state

WEEK = timedelta(days=7)
RULER_FROM, RULER_TO = timedelta(minutes=-15), timedelta(minutes=60)
RULER_WIDTH = 750
MOST_CASES = 20_000
SHOWN = 30


@dataclass(slots=True)
class Tally:
    """Promises of one kind that ended in a stretch of time."""

    kept: int = 0
    missed: int = 0
    waits: list[timedelta] = field(default_factory=list)

    @property
    def share(self) -> float | None:
        """The share that was kept; None when none has ended."""
        ended = self.kept + self.missed
        return self.kept / ended if ended else None

    @property
    def wait(self) -> str:
        """The median wait in words."""
        if not self.waits:
            return ""
        minutes = median(wait.total_seconds() for wait in self.waits) / 60
        return f"{minutes / 60:.1f} h" if minutes >= 90 else f"{minutes:.0f} min"

    def add(self, promise: Promise, since: datetime) -> None:
        """Count a promise if it was kept or broken since then."""
        if promise.state is PromiseState.MET and promise.settled_at and promise.settled_at >= since:
            self.kept += 1
        elif promise.state is PromiseState.BREACHED and promise.due_at >= since:
            self.missed += 1
        if promise.settled_at and promise.settled_at >= since:
            self.waits.append(promise.settled_at - promise.started_at)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of promise: its target, today and this week, and what is owed now."""

    name: str
    target: float
    today: Tally
    week: Tally
    owed: int
    late: int


@dataclass(frozen=True, slots=True)
class Tick:
    """One promise still owed: a place on the ruler and a line of the table under it."""

    case_id: str
    who: str
    promise: str
    due_at: datetime
    left: str
    owner: str
    state: State
    x: float | None

    @property
    def ms(self) -> int:
        """When it is due, in milliseconds since 1970, for the browser's countdown."""
        return int(self.due_at.timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class Board:
    """Everything the promise page shows."""

    kinds: tuple[Kind, ...]
    ticks: tuple[Tick, ...]
    soon: tuple[tuple[int, int], ...]
    more: int
    cut: bool


async def read_board(
    cases: AsyncIterator[Case], policies: Iterable[PromisePolicy], *, now: datetime, timezone: str
) -> Board:
    """The board as of ``now`` from cases, newest first; it stops at what is a week old and done."""
    day = now.astimezone(ZoneInfo(timezone)).replace(hour=0, minute=0, second=0, microsecond=0)
    kinds = {p.name: (p, Tally(), Tally(), [0, 0]) for p in policies}
    ticks: list[Tick] = []
    read = 0
    async for case in cases:
        read += 1
        if read > MOST_CASES:
            break
        if case.opened_at < now - WEEK - WEEK and not case.open:
            continue
        seen = as_of(case, now)
        for promise in seen.promises:
            if promise.name in kinds:
                _, today, week, owed = kinds[promise.name]
                today.add(promise, day)
                week.add(promise, now - WEEK)
                if seen.open and promise.running:
                    owed[0 if promise.state.running else 1] += 1
            if seen.open and promise.running:
                ticks.append(_tick(case, promise, now))
    ticks.sort(key=lambda tick: (tick.due_at, tick.case_id))
    minutes = [(tick.due_at - now) / timedelta(minutes=1) for tick in ticks]
    soon = tuple((edge, sum(1 for left_over in minutes if 0 < left_over <= edge)) for edge in (15, 30, 60))
    return Board(
        kinds=tuple(
            Kind(policy.name, policy.target, today, week, owed[0] + owed[1], owed[1])
            for policy, today, week, owed in kinds.values()
        ),
        ticks=tuple(ticks[:SHOWN]),
        soon=soon,
        more=max(0, len(ticks) - SHOWN),
        cut=read > MOST_CASES,
    )


def _tick(case: Case, promise: Promise, now: datetime) -> Tick:
    rest = promise.due_at - now
    on_ruler = RULER_FROM <= rest <= RULER_TO
    x = (rest - RULER_FROM) / (RULER_TO - RULER_FROM) * RULER_WIDTH if on_ruler else None
    return Tick(
        case_id=case.id,
        who=case.author.name or case.author.handle or "deleted author",
        promise=promise.name,
        due_at=promise.due_at,
        left=left(rest),
        owner=case.owner or "–",
        state=promise_state(promise),
        x=None if x is None else round(x, 1),
    )
