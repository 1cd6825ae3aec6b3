"""The table against a second reading of the same rules: nothing that breaks one is ever posted."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from casework.case import Case, Moved, Status, Topic
from casework.clock import ManualClock
from casework.reply import Permission, Way
from platforms.rules import LINES, Action, Rule, Situation, may
from responder.sender import Sender
from streams.case_store import CaseStore, Entry
from streams.claim import UNDISPUTED
from streams.consumer import Work
from streams.switch import AutomaticPause, PauseSwitch
from tests.fakes.cases import NOON, PROMISES
from tests.fakes.oracle import Facts, as_case, as_outgoing, as_terms, broken, situations
from tests.fakes.platform import ScriptedPlatform


def asked(f: Facts, lines: Sequence[Rule] = LINES) -> Permission:
    """What the table says to the facts."""
    case = as_case(f)
    situation = replace(
        Situation.of(case, case.last, as_terms(f), opted_out=f.said_stop),
        automatic_in_thread=f.in_submission_today,
        written_by_model=f.model_wrote_it,
    )
    return may(situation, Action.ACKNOWLEDGE if f.alone else Action.REPLY, lines)


def wrong(f: Facts, said: Permission) -> str | None:
    """What is wrong with the table's word on the facts; None when the oracle agrees."""
    against = broken(f)
    if said.way is Way.SEND:
        return f"would be posted against {sorted(against)}" if against else None
    if not against:
        return f"is kept in by {said.rule or said.why} for no reason"
    if (said.rule, str(said.way)) not in against:
        return f"is {said.way} by {said.rule or said.why}, and only {sorted(against)} is broken"
    if said.way is not Way.NEVER and any(way == "never" for _, way in against):
        return f"is left to people although {sorted(against)} refuses it"
    return None if said.why.endswith(".") else f"has no sentence for {said.rule}"


def first_wrong(facts: Iterable[Facts], lines: Sequence[Rule] = LINES) -> str | None:
    """The first disagreement, in words."""
    found = ((f, wrong(f, asked(f, lines))) for f in facts)
    return next((f"{f}: {words}" for f, words in found if words), None)


def test_no_situation_of_100_000_is_posted_against_a_rule() -> None:
    """Nor is any kept in without one: each refusal names a rule that is broken, and the gravest kind."""
    posted = refused = 0
    names = set()
    for f in situations(100_000, seed=4):
        said = asked(f)
        assert wrong(f, said) is None, f
        posted, refused = posted + (said.way is Way.SEND), refused + (said.way is not Way.SEND)
        names.add(said.rule)

    assert min(posted, refused) > 20_000
    assert names == {line.number for line in LINES}


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line.number or 'own'}: {line.sentence[:30]}")
def test_a_table_that_lacks_a_line_is_found_out(line: Rule) -> None:
    """So the oracle would notice: every line decides something that no other one does."""
    without = [other for other in LINES if other is not line]

    assert first_wrong(situations(50_000, seed=4), without) is not None


@pytest.mark.parametrize(
    "line", [line for line in LINES if line.effect is Way.NEVER], ids=lambda line: line.number or "own"
)
def test_a_table_that_refuses_too_softly_is_found_out(line: Rule) -> None:
    """What must never be posted is not merely left to people."""
    softer = [replace(other, effect=Way.BY_HAND) if other is line else other for other in LINES]

    assert first_wrong(situations(50_000, seed=4), softer) is not None


# ── through the sender ───────────────────────────────────────────────────────────────────────────


class OneCase(CaseStore):
    """A store for one case at a time, in memory."""

    def __init__(self) -> None:
        self.opted = False
        self.case: Case | None = None

    async def save(self, moved: Moved, settle: Entry | None = None) -> Case:
        """The case, as it became."""
        self.case = moved.case
        return moved.case

    async def load(self, case_id: str) -> Case:
        """The case, as it was saved last."""
        assert self.case is not None
        return self.case

    async def opted_out(self, platform: str, author_id: str) -> bool:
        """What the situation says."""
        return self.opted


class NeverPaused(PauseSwitch):
    """Sending goes on."""

    def __init__(self) -> None:
        """Nothing is kept."""

    async def paused_by(self) -> str | None:
        """Nobody."""
        return None


class NeverResting(AutomaticPause):
    """No spike paused anything."""

    def __init__(self) -> None:
        """Nothing is kept."""

    async def paused(self) -> str | None:
        """They go out."""
        return None


@pytest.mark.parametrize("status", [Status.APPROVED, Status.UNKNOWN])
async def test_the_sender_posts_nothing_that_the_oracle_forbids(status: Status) -> None:
    """A reply that is approved, or that got lost and would be repeated: the platform sees none of them."""
    store, entry = OneCase(), Entry(0, Topic.APPROVED, "sender", "1-0", "C-100")
    posted = forbidden = 0
    for drawn in situations(2_000, seed=9):
        # What the sender cannot know any more: it was asked when the acknowledgement was decided.
        f = replace(drawn, another_on_its_way=False, in_submission_today=0, model_wrote_it=False)
        clock = ManualClock(NOON - timedelta(minutes=1))
        platform = ScriptedPlatform(clock)
        case = as_case(f)
        case = replace(case, status=status, outgoing=as_outgoing(f, case.last))
        store.opted = f.said_stop
        sender = Sender(
            cases=store,
            platforms={"*": platform},
            terms=lambda _, f=f: as_terms(f),  # type: ignore[misc]  # mypy cannot tell a bound default
            switch=NeverPaused(),
            claim=UNDISPUTED,
            pause=NeverResting(),
            promises=PROMISES,
            clock=clock,
        )
        clock.advance(timedelta(minutes=1))
        await sender([Work(case, entry)])

        assert platform.attempts == (0 if broken(f) else 1), f
        posted, forbidden = posted + platform.attempts, forbidden + bool(broken(f))

    assert min(posted, forbidden) > 500
