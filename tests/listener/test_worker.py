"""The listener: each mention ends as a case, as part of one, or with a reason why not; none twice."""

from datetime import timedelta

import pytest

from casework import moves
from casework.case import Case, Status
from casework.clock import ManualClock
from casework.mention import Author, Mention
from listener.tracker import Tracker
from listener.worker import Listener
from platforms.platform import Heard, Unreadable
from streams import topics
from streams.case_store import CaseStore
from streams.connection import Store
from streams.dead_letters import DeadLetters
from streams.switch import Cursors
from tests.fakes.cases import NOON, PROMISES, a_mention

TRACKER = Tracker({"x": frozenset({"auroraair"})}, ignore=("aurora borealis",))


@pytest.fixture
def listener(store: Store, cases: CaseStore, clock: ManualClock) -> Listener:
    return Listener("feed", cases, DeadLetters(store), Cursors(store), TRACKER, lambda: PROMISES, clock)


def heard(*mentions: Mention) -> list[Heard | Unreadable]:
    return [Heard(mention, str(number)) for number, mention in enumerate(mentions, start=1)]


async def outcomes(cases: CaseStore) -> dict[str, str]:
    return {key: outcome async for key, outcome in cases.outcomes()}


async def test_a_mention_opens_a_case_and_moves_the_cursor(listener: Listener, cases: CaseStore) -> None:
    """The cursor stands after what is safely in the store."""
    await listener.take_in(heard(a_mention()))
    (case,) = [case async for case in cases.every()]

    assert (case.status, case.last) == (Status.NEW, a_mention())
    assert await listener.cursors.get("feed") == "1"


async def test_hearing_the_same_again_changes_nothing(listener: Listener, cases: CaseStore) -> None:
    """However often a feed is read from its beginning."""
    for _ in range(3):
        await listener.take_in(heard(a_mention(1), a_mention(2), a_mention(1)))

    assert len(await outcomes(cases)) == 2
    assert sum((await cases.counts()).values()) == 2


async def test_a_follow_up_joins_its_case(listener: Listener, cases: CaseStore) -> None:
    """By what it replies to, in one batch or in two."""
    second = a_mention(2, in_reply_to="post-1")
    third = a_mention(3, in_reply_to="post-2")
    await listener.take_in(heard(a_mention(1), second))
    await listener.take_in(heard(third))
    (case,) = [case async for case in cases.every()]

    assert [mention.id for mention in case.mentions] == ["post-1", "post-2", "post-3"]
    assert set(await outcomes(cases)) == {"x:post-1", "x:post-2", "x:post-3"}


async def test_a_follow_up_to_our_reply_reopens_the_case(listener: Listener, cases: CaseStore) -> None:
    """The customer who answers our answer is heard on the same case."""
    await listener.take_in(heard(a_mention(1)))
    (case,) = [case async for case in cases.every()]
    await cases.save(moves.close(case, by="Nina", at=NOON, reason="answered by phone"))
    await listener.take_in(heard(a_mention(2, in_reply_to="post-1")))
    (case,) = [case async for case in cases.every()]

    assert (case.status, len(case.mentions)) == (Status.NEW, 2)


async def test_another_person_in_the_thread_has_a_case_of_their_own(
    listener: Listener, cases: CaseStore
) -> None:
    """One customer, one matter, one case."""
    omar = Author("omar", "omar")
    await listener.take_in(heard(a_mention(1), a_mention(2, in_reply_to="post-1", author=omar)))

    assert sum((await cases.counts()).values()) == 2


@pytest.mark.parametrize(
    ("mention", "reason"),
    [
        (a_mention(author=Author("1", "@AuroraAir")), "our own post"),
        (a_mention(repost_of="post-0"), "a repost of post-0"),
        (a_mention(text="RT @maya: my bag"), "a repost of another post"),
        (a_mention(cross_post_of="bluesky:7"), "a copy of bluesky:7"),
        (
            a_mention(text="What an Aurora Borealis!", addressed=False),
            "about something else: aurora borealis",
        ),
    ],
)
async def test_what_is_passed_over_is_recorded_with_its_reason(
    listener: Listener, cases: CaseStore, mention: Mention, reason: str
) -> None:
    """It opens no case and is not forgotten either."""
    await listener.take_in(heard(mention))

    assert await outcomes(cases) == {"x:post-1": f"-{reason}"}
    assert sum((await cases.counts()).values()) == 0


async def test_who_speaks_to_us_is_never_passed_over_for_a_word(listener: Listener, cases: CaseStore) -> None:
    """A stranded customer may well mention the northern lights."""
    await listener.take_in(heard(a_mention(text="@auroraair stuck under the aurora borealis, help")))

    assert sum((await cases.counts()).values()) == 1


async def test_an_unreadable_line_becomes_one_dead_letter(listener: Listener, store: Store) -> None:
    """With its line and reason; reading the feed again adds none."""
    bad = Unreadable("feed.jsonl:7", "{", "line 7 is not JSON", "1")
    for _ in range(2):
        await listener.take_in([bad])
    letters = [letter async for letter in DeadLetters(store).every()]

    assert [(letter.where, letter.reason) for letter in letters] == [("feed.jsonl:7", "line 7 is not JSON")]


async def test_a_flood_is_taken_in_whole(listener: Listener, cases: CaseStore) -> None:
    """Two thousand mentions by fifty authors, some in threads: every one is in exactly one case."""
    flood = [
        a_mention(
            n,
            author=Author(f"author-{n % 50}", "someone"),
            in_reply_to=f"post-{n - 50}" if n > 50 and n % 3 else None,
            created_at=NOON + timedelta(seconds=n),
        )
        for n in range(1, 2001)
    ]
    await listener.take_in(heard(*flood))
    held = [mention.key async for case in cases.every() for mention in case.mentions]

    assert sorted(held) == sorted(mention.key for mention in flood)


async def test_a_case_overtaken_while_hearing_is_joined_as_it_is_now(
    listener: Listener, cases: CaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody takes the case between the look and the save: the mention still joins it."""
    await listener.take_in(heard(a_mention(1)))
    (case,) = [case async for case in cases.every()]
    load_all, raced = cases.load_all, list[Case]()

    async def raced_load(ids: list[str]) -> object:
        loaded = await load_all(ids)
        if not raced:
            raced.append(await cases.save(moves.take(case, by="Nina", at=NOON)))
        return loaded

    monkeypatch.setattr(cases, "load_all", raced_load)
    await listener.take_in(heard(a_mention(2, in_reply_to="post-1")))
    joined = await cases.load(case.id)

    assert (joined.owner, len(joined.mentions)) == ("Nina", 2)
    assert topics.partition_of_case(joined.id) == topics.partition_of("x", "maya")


async def test_every_odd_record_of_a_stream_is_kept(listener: Listener, store: Store) -> None:
    """A stream has no line numbers: two different records from the same place are two dead letters."""
    odd = [Unreadable("the stream", raw, "has no author", "1") for raw in ("{}", "[]", "{}")]
    await listener.take_in(odd)

    assert await DeadLetters(store).count() == 2
