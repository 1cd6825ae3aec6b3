"""Cases that fall due together, and what was raised of them: on their timelines and on the alerts' stream."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from casework import moves
from casework.case import Case, Move, Moved, Topic
from casework.mention import Author
from casework.sla import LadderStep, MetBy, PromisePolicy, Promises
from casework.sla import Warning as EarlyWarning
from streams import codec, topics
from streams.case_store import CaseStore, Write
from streams.connection import Store
from tests.fakes.cases import MINUTE, NOON, a_mention

HOUR = timedelta(hours=1)
# At one o'clock the first breaks and the second is at risk; a quarter of an hour later the ladder climbs.
FIRST_HOUR = PromisePolicy(
    "first hour",
    HOUR,
    MetBy.REPLY,
    ladder=(LadderStep(timedelta(0), "managers"), LadderStep(15 * MINUTE, "leads")),
)
NEXT_DAY = PromisePolicy("next day", 24 * HOUR, MetBy.ANSWER, warn_at=(EarlyWarning(left=23 * HOUR),))
PROMISES = Promises((FIRST_HOUR, NEXT_DAY))
AT_ONE = ("first hour breached, telling managers", "next day at risk, telling owner")
LATER = "first hour breached, telling leads"
ALL_ONCE = Counter([*AT_ONE, LATER])


def opening(number: int, author: str, at: datetime = NOON, promises: Promises = PROMISES) -> Moved:
    """The ``number``-th case of an author."""
    mention = a_mention(1, id=f"post-{author}-{number}", author=Author(author, "someone"), created_at=at)
    case_id = topics.case_id(number, topics.partition_of_mention(mention))
    return moves.hear(mention, case_id=case_id, at=at, promises=promises)


async def open_cases(
    cases: CaseStore, authors: int, *, of_one: int = 0, at: datetime = NOON, promises: Promises = PROMISES
) -> list[Case]:
    """A case of each of so many authors, and so many of one more, who fill a partition."""
    opened = [opening(1000 + number, f"author-{number}", at, promises) for number in range(authors)]
    opened += [opening(10_000 + number, "maya", at, promises) for number in range(of_one)]
    await cases.save_all([Write(one) for one in opened])
    return [one.case for one in opened]


async def on_timelines(cases: CaseStore, of: Sequence[Case]) -> list[Counter[str]]:
    """For each case, how often each alert is on its timeline."""
    timelines = await cases.timelines([case.id for case in of])
    return [
        Counter(part for entry in timeline if entry.what == Move.WAKE for part in entry.detail.split("; "))
        for timeline in timelines
    ]


async def on_the_stream(store: Store, of: Sequence[Case]) -> list[Counter[str]]:
    """For each case, how often each alert is on its way to people."""
    found: dict[str, Counter[str]] = {case.id: Counter() for case in of}
    for partition in topics.all_partitions():
        entries: Any = await store.writes.xrange(topics.topic_key(partition, Topic.ALERTS))
        for _, fields in entries:
            alert = codec.read_alert(fields[b"a"])
            found[fields[b"c"].decode()][f"{alert.promise} {alert.state}, telling {alert.to}"] += 1
    return [found[case.id] for case in of]


async def raised(store: Store, of: Sequence[Case]) -> list[Counter[str]]:
    """For each case, how often each alert was raised; timelines and stream must say the same."""
    said = await on_timelines(CaseStore(store), of)
    assert said == await on_the_stream(store, of)
    return said
