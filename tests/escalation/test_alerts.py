"""Alerts reach people and the timeline says so; whoever cannot be told now is told later."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from casework import moves
from casework.case import Case, Topic
from casework.clock import ManualClock
from casework.errors import TryAgainLater
from casework.sla import Alert, PromiseState
from escalation.alerts import AlertWorker
from escalation.promises import PromiseClock
from escalation.worker import EscalationWorker
from streams import topics
from streams.case_store import CaseStore, Entry
from streams.connection import Store
from streams.consumer import Consumer, Handler, Work
from streams.dead_letters import DeadLetters
from tests.fakes.cases import MINUTE, NOON, PROMISES, a_mention, classified, drafted

ENTRY = Entry(partition=0, topic=Topic.ESCALATED, group="escalation", id="1-0", case_id="C-100")


@dataclass
class HandHerald:
    """Keeps what it is told; fails as often as the test wants."""

    failures: int = 0
    announced: list[str] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    name: str = "the test"

    async def announce(self, case: Case) -> None:
        """Keep the case's id."""
        self.announced.append(case.id)

    async def alert(self, case: Case, alert: Alert) -> None:
        """Keep the alert, or ask for another time."""
        if self.failures:
            self.failures -= 1
            raise TryAgainLater("nobody answers", after=timedelta(minutes=1))
        self.alerts.append(alert)


@pytest.fixture
def herald() -> HandHerald:
    return HandHerald()


@pytest.fixture
async def case(cases: CaseStore) -> Case:
    """A case heard at noon."""
    case_id = topics.case_id(1, topics.partition_of("x", "maya"))
    return await cases.save(moves.hear(a_mention(), case_id=case_id, at=NOON, promises=PROMISES))


@pytest.fixture
def alerts(store: Store, cases: CaseStore, clock: ManualClock, herald: HandHerald) -> Consumer:
    return consumer(store, cases, clock, AlertWorker(herald=herald, clock=clock))


def consumer(store: Store, cases: CaseStore, clock: ManualClock, handler: Handler) -> Consumer:
    """The consumer of alerts."""
    return Consumer(store, cases, topic=Topic.ALERTS, group="alerts", name="me", handler=handler, clock=clock)


async def ring(cases: CaseStore, clock: ManualClock, minutes: int) -> None:
    """Let time pass and sweep."""
    clock.advance(minutes * MINUTE)
    await PromiseClock(cases=cases, clock=clock).sweep()


async def drain(alerts: Consumer) -> None:
    while await alerts.step():
        pass


async def test_a_risk_is_for_everybody_on_duty(
    cases: CaseStore, clock: ManualClock, case: Case, alerts: Consumer, herald: HandHerald
) -> None:
    """While nobody owns the case; and the timeline says who was told, which way."""
    await ring(cases, clock, 30)
    await drain(alerts)

    assert [(a.state, a.to) for a in herald.alerts] == [(PromiseState.AT_RISK, "everybody on duty")]
    assert (await cases.timeline(case.id))[-1].detail == (
        "first hour at risk, telling everybody on duty through the test"
    )


async def test_a_risk_is_for_the_owner(
    cases: CaseStore, clock: ManualClock, case: Case, alerts: Consumer, herald: HandHerald
) -> None:
    """Whoever took the case is told."""
    await cases.save(moves.take(case, by="Nina", at=NOON))
    await ring(cases, clock, 30)
    await drain(alerts)

    assert [alert.to for alert in herald.alerts] == ["Nina"]


async def test_a_breach_is_for_managers(
    cases: CaseStore, clock: ManualClock, case: Case, alerts: Consumer, herald: HandHerald
) -> None:
    """Whoever owns the case."""
    await cases.save(moves.take(case, by="Nina", at=NOON))
    await ring(cases, clock, 60)
    await drain(alerts)

    assert [(a.state, a.to) for a in herald.alerts] == [(PromiseState.BREACHED, "managers")]


async def test_each_alert_is_told_once(
    cases: CaseStore, clock: ManualClock, case: Case, alerts: Consumer, herald: HandHerald
) -> None:
    """Two warnings and a breach are three alerts, after any number of looks."""
    for minutes in (30, 18, 12, 0):
        await ring(cases, clock, minutes)
        await drain(alerts)

    states = [alert.state for alert in herald.alerts]
    assert states == [PromiseState.AT_RISK, PromiseState.AT_RISK, PromiseState.BREACHED]


async def test_an_alert_that_cannot_be_told_is_kept(
    store: Store, cases: CaseStore, clock: ManualClock, case: Case, alerts: Consumer, herald: HandHerald
) -> None:
    """It is told when its time comes, and is no dead letter meanwhile."""
    herald.failures = 2
    await ring(cases, clock, 30)
    await drain(alerts)
    assert herald.alerts == []
    clock.advance(MINUTE)
    await drain(alerts)
    assert herald.alerts == []
    clock.advance(MINUTE)
    await drain(alerts)

    assert len(herald.alerts) == 1
    assert await DeadLetters(store).count() == 0


async def test_an_alert_outlives_its_consumer(
    store: Store, cases: CaseStore, clock: ManualClock, case: Case, alerts: Consumer, herald: HandHerald
) -> None:
    """One that could not be told before a restart is told after it."""
    herald.failures = 1
    await ring(cases, clock, 30)
    await drain(alerts)

    await drain(consumer(store, cases, clock, AlertWorker(herald=herald, clock=clock)))

    assert len(herald.alerts) == 1


async def test_only_what_waits_for_people_is_announced(herald: HandHerald) -> None:
    """A case that moved on meanwhile needs no card."""
    works = [Work(case, ENTRY) for case in (drafted(), classified())]

    assert await EscalationWorker(herald)(works) == [None, None]
    assert herald.announced == ["C-100"]
