"""The course of one scenario: well, disturbed, well again; what was said meanwhile, and the table's row."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from tests.chaos.office import Counted, Office

BAR_S = 30.0
"""Within this, everything is as before once what was away is back."""
DOCTOR_S = 60.0
"""The doctor ends within this, whatever is silent."""
DESK_S = 15.0

Doing = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One disturbance. ``words`` are what desk and doctor must say meanwhile, each as said somewhere in it.

    ``doctor_words`` are the doctor's own, where it asks for itself. ``proof`` waits for what shows that all
    is well again, where that is not a mention that is answered. ``goes_on``: customers are answered all the
    while. ``alone`` is how many more customers are left alone when it begins, so that their promises break.
    """

    name: str
    begin: Doing
    end: Doing
    words: tuple[str, ...]
    lasts_s: float = 30.0
    ask_after_s: float = 8.0
    doctor_words: tuple[str, ...] | None = None
    proof: Callable[[], Awaitable[float | None]] | None = None
    every_s: float = 1.5
    goes_on: bool = False
    doctor: bool = True
    alone: int = 0


@dataclass
class Row:
    """What was seen."""

    name: str
    counted: Counted | None = None
    back_s: float | None = None
    rest_s: float | None = None
    well_said_s: float | None = None
    doctor_s: float = 0.0
    meanwhile_s: float | None = None
    load: float = 0.0
    said: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def line(self) -> str:
        """The row of the table."""
        counted = self.counted or Counted(0, 0, 0, 0, 0, 0)
        lost = counted.lost + counted.unanswered
        return (
            f"{self.name:<36} {counted.mentions:>4} {lost:>4} {counted.double:>6}"
            f" {counted.alarms:>5}/{counted.alarms_double} {_s(self.back_s)} {_s(self.rest_s)}"
            f" {_s(self.well_said_s)} {self.doctor_s:>6.1f} {self.load:>5.1f}  {'; '.join(self.said)}"
        )


HEAD = (
    f"{'scenario':<36} {'said':>4} {'lost':>4} {'double':>6} {'alarms':>7} {'back':>6} {'rest':>6}"
    f" {'well':>6} {'doctor':>6} {'load':>5}  words"
)


def _s(seconds: float | None) -> str:
    return "    --" if seconds is None else f"{seconds:>6.1f}"


async def walk(office: Office, scenario: Scenario) -> Row:
    """Go through a scenario; the row says everything that was wrong."""
    row = Row(scenario.name)
    async with office.busy(scenario.every_s):
        if await office.normal_again() is None:
            row.wrong.append("it was not well before")
            return row
        for _ in range(scenario.alone):
            office.writes(next(iter(office.worlds)), alone=True)
        await scenario.begin()
        ends = time.monotonic() + scenario.lasts_s
        await asyncio.sleep(scenario.ask_after_s)
        going_on = asyncio.create_task(office.normal_again(scenario.lasts_s)) if scenario.goes_on else None
        await _listen(office, scenario, row)
        await asyncio.sleep(max(0.0, ends - time.monotonic()))
        if going_on is not None:
            row.meanwhile_s = await going_on
            if row.meanwhile_s is None:
                row.wrong.append("customers were not answered meanwhile")
        row.load = os.getloadavg()[0]
        await scenario.end()
        well = asyncio.create_task(_well_again(office, scenario.words))
        row.back_s = await (scenario.proof or office.normal_again)()
        row.well_said_s = await well
    row.rest_s = await office.rest()
    await office.until_broken()
    row.counted = await office.counted()
    if row.counted.cards_double:
        row.wrong.append(office.doubled())
    _judge(row, scenario)
    return row


async def _listen(office: Office, scenario: Scenario, row: Row) -> None:
    """What the desk and the doctor say while it lasts, and how long they take."""
    began = time.monotonic()
    desk = asyncio.create_task(office.desk_says())
    doctor = asyncio.create_task(office.doctor()) if scenario.doctor else None
    queue = await office.page("/")
    said = await desk
    took = time.monotonic() - began
    if took > DESK_S or queue[0] not in (200, 503) or "page 500" in said or "page 0" in said:
        row.wrong.append(f"the desk took {took:.1f} s; queue {queue[0]}; {said[:400]}")
    missing = [word for word in scenario.words if word not in said]
    row.wrong += [f"the desk does not say {word!r}: {said[:3000]}" for word in missing]
    row.said += [word for word in scenario.words if word not in missing]
    if doctor is not None:
        told, row.doctor_s = await doctor
        wanted = scenario.words if scenario.doctor_words is None else scenario.doctor_words
        row.wrong += [f"the doctor does not say {word!r}: {told}" for word in wanted if word not in told]
        if row.doctor_s > DOCTOR_S:
            row.wrong.append(f"the doctor took {row.doctor_s:.1f} s")


async def _well_again(office: Office, words: Sequence[str]) -> float | None:
    """How long until the desk says nothing of it any more."""
    began = time.monotonic()
    while time.monotonic() - began < 2 * BAR_S:
        status, said = await office.get("/api/v1/health")
        if status == 200 and not any(word in said for word in words):
            return time.monotonic() - began
        await asyncio.sleep(0.5)
    return None


def _judge(row: Row, scenario: Scenario) -> None:
    counted = row.counted
    assert counted is not None
    for what in ("lost", "unanswered", "double", "alarms_double", "cards_double", "boards_double"):
        if getattr(counted, what):
            row.wrong.append(f"{what}: {getattr(counted, what)}")
    if not counted.alarms:
        row.wrong.append("no alarm was raised, so none was counted")
    for what, seconds in (("an answer", row.back_s), ("the desk's word", row.well_said_s)):
        if seconds is None or seconds > BAR_S:
            row.wrong.append(f"{what} came {'never' if seconds is None else f'after {seconds:.1f} s'}")
    if row.rest_s is None:
        row.wrong.append("it never came to rest")
