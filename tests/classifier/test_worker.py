"""The classifier's stage counts what is said now: each mention once, when it is first judged."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from casework import moves
from casework.case import Case, Topic
from casework.classification import Classification, Sentiment
from casework.clock import ManualClock
from casework.mention import Author
from classifier.worker import FRESH, ClassifierWorker
from streams.case_store import Entry
from streams.connection import Store
from streams.consumer import Work
from streams.volume import Slot, Volume, slot_of
from tests.fakes.cases import PROMISES, a_mention, judged


def judge(texts: Sequence[str]) -> list[Classification]:
    """Whoever says that it is bad is negative."""
    sentiments = [Sentiment.NEGATIVE if "bad" in text else Sentiment.POSITIVE for text in texts]
    return [judged(sentiment=sentiment) for sentiment in sentiments]


def heard(number: int, text: str, clock: ManualClock, *, age: timedelta = timedelta(0)) -> Case:
    """A new case of its own author."""
    author, at = Author(f"a{number}", f"a{number}", "A"), clock.now()
    mention = replace(a_mention(number), author=author, text=text, created_at=at - age)
    return moves.hear(mention, case_id=f"C-{number}", at=at, promises=PROMISES).case


async def counted(store: Store, clock: ManualClock, *cases: Case) -> Slot:
    """What the slot of now holds after these were handed over."""
    worker = ClassifierWorker(judge=judge, promises=PROMISES, clock=clock, volume=Volume(store))
    works = [Work(case, Entry(0, Topic.MENTIONS, "classifier", "1-0", case.id)) for case in cases]
    results = await worker(works)
    assert len(results) == len(cases)
    start = slot_of(clock.now())
    (slot,) = await Volume(store).slots(start, start + timedelta(minutes=5))
    return slot


async def test_a_batch_is_counted_with_how_much_of_it_is_negative(store: Store, clock: ManualClock) -> None:
    """In the slot in which it is judged; one that moved on is not judged again and not counted again."""
    cases = [heard(1, "bad", clock), heard(2, "good", clock), heard(3, "bad", clock)]
    gone = moves.classify(cases[0], judged(), at=clock.now(), promises=PROMISES).case

    slot = await counted(store, clock, *cases, gone)

    assert (slot.mentions, slot.negative) == (3, 2)


async def test_a_backlog_says_nothing_about_now(store: Store, clock: ManualClock) -> None:
    """After a stop of hours all of it is judged at once: no spike."""
    old = [heard(number, "bad", clock, age=FRESH + timedelta(minutes=1)) for number in range(5)]

    assert (await counted(store, clock, *old, heard(9, "bad", clock))).mentions == 1


async def test_an_edited_mention_was_counted_when_it_was_new(store: Store, clock: ManualClock) -> None:
    """It is judged anew, and is no other mention."""
    case = heard(1, "bad", clock)
    edited = moves.amend(case, mention_key=case.last.key, text="worse, bad", at=clock.now()).case

    assert (await counted(store, clock, edited)).mentions == 0
