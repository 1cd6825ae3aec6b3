"""The loop that all stages share: nothing is lost, nothing blocks the line, order is kept within a case."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from casework import moves
from casework.case import Status, Topic
from casework.clock import ManualClock
from casework.errors import TryAgainLater, Unprocessable
from streams import consumer as consumer_module
from streams import topics
from streams.case_store import CaseStore
from streams.connection import Store
from streams.consumer import Consumer, Handler, Result, Work
from streams.dead_letters import DeadLetters
from tests.fakes.cases import NOON, PROMISES, a_mention, judged


def classify(work: Work) -> Result:
    return moves.classify(work.case, judged(), at=NOON, promises=PROMISES)


async def classify_all(works: Sequence[Work]) -> Sequence[Result]:
    return [classify(work) for work in works]


@pytest.fixture
def consume(store: Store, cases: CaseStore, clock: ManualClock) -> "Consume":
    return Consume(store, cases, clock)


class Consume:
    """Makes consumers of the mentions, and cases for them to handle."""

    def __init__(self, store: Store, cases: CaseStore, clock: ManualClock) -> None:
        self.store, self.cases, self.clock = store, cases, clock

    def __call__(self, handler: Handler, name: str = "me") -> Consumer:
        return Consumer(
            self.store,
            self.cases,
            topic=Topic.MENTIONS,
            group="classifier",
            name=name,
            handler=handler,
            clock=self.clock,
        )

    async def open_case(self, number: int = 1) -> str:
        """A case of an author of its own."""
        mention = a_mention(number, author=a_mention().author.__class__(f"author-{number}", "someone"))
        case_id = topics.case_id(number, topics.partition_of_mention(mention))
        await self.cases.save(moves.hear(mention, case_id=case_id, at=NOON, promises=PROMISES))
        return case_id


async def drain(consumer: Consumer) -> int:
    total = 0
    while handled := await consumer.step():
        total += handled
    return total


async def test_every_entry_is_handled_and_settled(consume: Consume) -> None:
    """Many cases over many partitions, in batches, each once."""
    for number in range(1, 101):
        await consume.open_case(number)

    assert await drain(consume(classify_all)) == 100
    assert (await consume.cases.counts())[Status.CLASSIFIED] == 100
    assert await drain(consume(classify_all, name="another")) == 0


async def test_what_was_begun_before_a_death_is_taken_up_first(consume: Consume) -> None:
    """An entry that was read and never settled comes back to the same name at once."""
    case_id = await consume.open_case()

    async def die(works: Sequence[Work]) -> Sequence[Result]:
        raise ConnectionError("power cut")

    with pytest.raises(ConnectionError):
        await consume(die).step()
    await drain(consume(classify_all))

    assert (await consume.cases.load(case_id)).status is Status.CLASSIFIED


async def test_another_consumer_takes_over_from_a_dead_one(
    consume: Consume, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a name that never comes back had begun is claimed once it was idle long enough."""
    case_id = await consume.open_case()

    async def die(works: Sequence[Work]) -> Sequence[Result]:
        raise ConnectionError("power cut")

    with pytest.raises(ConnectionError):
        await consume(die, name="dead").step()
    monkeypatch.setattr(consumer_module, "RECLAIM_IDLE", timedelta(0))
    await drain(consume(classify_all, name="heir"))

    assert (await consume.cases.load(case_id)).status is Status.CLASSIFIED


async def test_poison_becomes_a_dead_letter_and_the_rest_goes_on(consume: Consume) -> None:
    """One case that makes the handler fail does not take its batch with it."""
    ids = [await consume.open_case(number) for number in range(1, 6)]

    async def choke(works: Sequence[Work]) -> Sequence[Result]:
        if any(work.case.id == ids[2] for work in works):
            raise ValueError("poison")
        return await classify_all(works)

    await drain(consume(choke))
    letters = [letter async for letter in DeadLetters(consume.store).every()]

    assert (await consume.cases.counts())[Status.CLASSIFIED] == 4
    assert [(letter.case_id, letter.reason) for letter in letters] == [(ids[2], "ValueError in classifier")]


async def test_a_dead_letter_can_be_put_back_on_its_line(consume: Consume) -> None:
    """Once; after that somebody else did."""
    case_id = await consume.open_case()

    async def refuse(works: Sequence[Work]) -> Sequence[Result]:
        raise Unprocessable("not today")

    await drain(consume(refuse))
    dead = DeadLetters(consume.store)
    (letter,) = [letter async for letter in dead.every()]

    assert await dead.retry(letter)
    assert not await dead.retry(letter)
    await drain(consume(classify_all))
    assert (await consume.cases.load(case_id)).status is Status.CLASSIFIED
    assert await dead.count() == 0


async def test_what_killed_its_consumer_too_often_is_taken_for_poison(consume: Consume) -> None:
    """An entry that ends the process each time is buried after its fifth delivery."""
    case_id = await consume.open_case()

    async def die(works: Sequence[Work]) -> Sequence[Result]:
        raise ConnectionError("out of memory")

    for _ in range(consumer_module.MAX_DELIVERIES):
        with pytest.raises(ConnectionError):
            await consume(die).step()
    await drain(consume(classify_all))
    (letter,) = [letter async for letter in DeadLetters(consume.store).every()]

    assert letter.case_id == case_id
    assert "ended the process" in letter.reason


async def test_later_means_later(consume: Consume, clock: ManualClock) -> None:
    """The entry is kept until its time, and then handled."""
    case_id = await consume.open_case()
    tries = 0

    async def busy_once(works: Sequence[Work]) -> Sequence[Result]:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise TryAgainLater("busy", after=timedelta(minutes=1))
        return await classify_all(works)

    consumer = consume(busy_once)
    await drain(consumer)
    assert (await consume.cases.load(case_id)).status is Status.NEW
    assert consumer.next_ready() == NOON + timedelta(minutes=1)

    clock.advance(timedelta(minutes=1))
    await drain(consumer)
    assert (await consume.cases.load(case_id)).status is Status.CLASSIFIED


async def test_an_overtaken_handler_is_asked_again_with_the_case_as_it_is(consume: Consume) -> None:
    """The customer writes while the model thinks: the judgement of the old text is not kept."""
    case_id = await consume.open_case()
    seen: list[int] = []

    async def slow(works: Sequence[Work]) -> Sequence[Result]:
        seen.append(works[0].case.version)
        if len(seen) == 1:
            await consume.cases.save(moves.take(works[0].case, by="Nina", at=NOON))
        return await classify_all(works)

    await drain(consume(slow))

    assert seen == [1, 2]
    assert (await consume.cases.load(case_id)).version == 3


async def test_two_entries_of_one_case_are_handled_in_turn(consume: Consume) -> None:
    """The second sees what the first did."""
    case_id = await consume.open_case()
    mention = a_mention(2, author=a_mention().author.__class__("author-1", "someone"))
    case = await consume.cases.load(case_id)
    await consume.cases.save(moves.join(case, mention, at=NOON, promises=PROMISES))
    versions: list[int] = []

    async def note(works: Sequence[Work]) -> Sequence[Result]:
        versions.extend(work.case.version for work in works)
        return [classify(w) if w.case.status is Status.NEW else None for w in works]

    await drain(consume(note))

    assert versions == [2, 3]


async def test_waiting_is_no_poison(consume: Consume, clock: ManualClock) -> None:
    """However often the process is started again while an entry waits, it is handled in the end."""
    case_id = await consume.open_case()

    async def busy(works: Sequence[Work]) -> Sequence[Result]:
        raise TryAgainLater("sending is stopped", after=timedelta(seconds=1))

    for _ in range(3 * consumer_module.MAX_DELIVERIES):
        await drain(consume(busy))
    await drain(consume(classify_all))

    assert (await consume.cases.load(case_id)).status is Status.CLASSIFIED
    assert await DeadLetters(consume.store).count() == 0


async def test_waiting_behind_another_is_no_poison_over_restarts(consume: Consume) -> None:
    """What never had its turn cannot have ended the process, however often that was started again."""
    case_id = await consume.open_case()
    case = await consume.cases.load(case_id)
    again = moves.join(case, a_mention(2, author=case.author), at=NOON, promises=PROMISES)
    await consume.cases.save(again)

    async def busy(works: Sequence[Work]) -> Sequence[Result]:
        return [TryAgainLater("busy", after=timedelta(hours=1))] * len(works)

    for _ in range(3 * consumer_module.MAX_DELIVERIES):
        await drain(consume(busy))

    assert await DeadLetters(consume.store).count() == 0
    await drain(consume(classify_all))
    assert (await consume.cases.load(case_id)).status is Status.CLASSIFIED


async def test_poison_takes_no_neighbour_with_it(consume: Consume) -> None:
    """What was read in one batch with an entry that ends the process is handled all the same."""
    ids = [await consume.open_case(number) for number in range(1, 6)]

    async def die(works: Sequence[Work]) -> Sequence[Result]:
        if any(work.case.id == ids[1] for work in works):
            raise ConnectionError("out of memory")
        return await classify_all(works)

    for _ in range(2 * consumer_module.MAX_DELIVERIES):
        try:
            await drain(consume(die))
        except ConnectionError:
            continue
    letters = [letter.case_id async for letter in DeadLetters(consume.store).every()]

    assert letters == [ids[1]]
    assert (await consume.cases.counts())[Status.CLASSIFIED] == 4


@pytest.mark.parametrize("bug", [TypeError, AttributeError, KeyError])
async def test_a_bug_in_a_handler_is_a_dead_letter_and_not_a_lost_store(
    consume: Consume, bug: type[Exception]
) -> None:
    """The line goes on; the reason names the bug."""
    await consume.open_case()

    async def choke(works: Sequence[Work]) -> Sequence[Result]:
        raise bug("oops")

    await drain(consume(choke))
    (letter,) = [letter async for letter in DeadLetters(consume.store).every()]

    assert letter.reason == f"{bug.__name__} in classifier"


async def test_what_was_settled_meanwhile_hides_nothing_behind_it(consume: Consume) -> None:
    """An entry that another consumer settled after our death is passed over; the next one is taken up."""
    for number in range(1, 4):
        await consume.open_case(number)

    async def die(works: Sequence[Work]) -> Sequence[Result]:
        raise ConnectionError("power cut")

    with pytest.raises(ConnectionError):
        await consume(die).step()
    risen = consume(classify_all)
    await risen._prepare()
    first = risen._begun[0]
    await consume.store.writes.xdel(topics.topic_key(first.partition, Topic.MENTIONS), first.id)

    assert await drain(risen) == 2
    assert (await consume.cases.counts())[Status.CLASSIFIED] == 2
