"""The simulated platforms owe the sender what the real ones do, and each fault is what it says it is."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from casework.mention import Mention
from casework.reply import Outgoing
from platforms.faults import Fault
from platforms.platform import DEADLINE, Busy, Fate, Gone, Posted, Present, Refused, Unknown
from tests.contracts.test_replying import decided
from tests.fakes.cases import NOON, a_mention
from tests.simulation.loop import Stuck, VirtualLoop
from tests.simulation.sites import Becomes, Connection, Help, Post, Shown, Site

MENTION = a_mention()
LAG = timedelta(seconds=15)


@dataclass
class Alone:
    """A process that lives, and writes down what it is told."""

    dead: bool = False
    attempts: int = 0
    doubles: list[str] = field(default_factory=list)

    def may_die(self, where: str) -> None:
        """It does not."""

    def now(self) -> datetime:
        return NOON

    def now_at_intent(self) -> datetime:
        return NOON

    def posting(self, site: Site, mention: Mention, outgoing: Outgoing, now: datetime) -> None:
        self.attempts += 1

    def arrived(self, site: Site, reply: Shown, attempt: int, new: bool) -> None:
        if not new:
            self.doubles.append(reply.id)

    def fate(self, site: Site, becomes: Becomes) -> None:
        """Drawn by the test."""


class Drawn(Connection):
    """A connection whose fates the test draws."""

    script: list[Becomes]

    def _drawn(self) -> Becomes:
        return self.script.pop(0) if self.script else Becomes.ANSWERED


def connected(against: Help, *script: Becomes, alone: Alone | None = None) -> Drawn:
    """A platform with one mention."""
    site = Site("x", against, LAG, posts={MENTION.id: Post(MENTION, [(0.0, MENTION.text)])})
    alone = alone or Alone()
    connection = Drawn(site, process=alone, chance=Random(7), watcher=alone, calm=lambda: True)
    connection.script = [*script]
    return connection


def played(story: Callable[[], Awaitable[Any]]) -> Any:
    """A story on a loop of its own."""
    loop = VirtualLoop()
    try:

        async def main() -> Any:
            return await story()

        return loop.run_until_complete(main())
    finally:
        loop.close()


async def _posted(connection: Connection, outgoing: Outgoing) -> Fate:
    try:
        async with asyncio.timeout(DEADLINE.total_seconds()):
            return await connection.reply(MENTION, outgoing)
    except TimeoutError:
        return Unknown("no answer")


@pytest.mark.parametrize("against", Help)
def test_a_reply_is_published_once_under_the_mention(against: Help) -> None:
    """With its words, where the customer sees it."""
    connection = connected(against)
    fate = played(lambda: _posted(connection, decided(MENTION)))
    (seen,) = connection.site.shown

    assert isinstance(fate, Posted)
    assert (fate.id, seen.answers, seen.text) == (seen.id, MENTION.id, decided(MENTION).text)


@pytest.mark.parametrize(
    ("becomes", "told", "arrives"),
    [
        (Becomes.ANSWERED, Posted, True),
        (Becomes.LOST, Unknown, True),
        (Becomes.RESET, Unknown, True),
        (Becomes.LATE, Unknown, True),
        (Becomes.DROPPED, Unknown, False),
        (Becomes.REFUSED, Refused, False),
        (Becomes.BUSY, Busy, False),
        (Becomes.TROUBLE, Unknown, False),
        (Becomes.TROUBLE_POSTED, Unknown, True),
    ],
)
def test_a_fate_is_honest_and_a_look_proves_it_once_the_wait_is_over(
    becomes: Becomes, told: type[Fate], arrives: bool
) -> None:
    """Found if it arrived; not found, and sent again, if it did not."""
    connection = connected(Help.NONE, becomes)

    async def story() -> tuple[Fate, Posted | None]:
        fate = await _posted(connection, decided(MENTION))
        await asyncio.sleep((DEADLINE + LAG).total_seconds())
        return fate, await connection.find_reply(MENTION, decided(MENTION))

    fate, found = played(story)

    assert isinstance(fate, told), fate
    assert (found is not None) == arrives
    assert len(connection.site.shown) == arrives


def test_a_look_may_come_too_soon() -> None:
    """What was published is not shown at once: only after the read lag is absence a proof."""
    early = []
    for chance in range(20):
        connection = connected(Help.NONE)
        connection._chance = Random(chance)

        async def story(connection: Connection = connection) -> tuple[object, object]:
            await _posted(connection, decided(MENTION))
            soon = await connection.find_reply(MENTION, decided(MENTION))
            await asyncio.sleep(LAG.total_seconds())
            return soon, await connection.find_reply(MENTION, decided(MENTION))

        soon, later = played(story)
        early.append(soon)
        assert later is not None
    assert None in early


def test_what_left_arrives_after_its_sender_is_dead() -> None:
    """Ending the task that posts does not call back what is on the wire."""
    connection = connected(Help.NONE, Becomes.LATE)

    async def story() -> None:
        task = asyncio.ensure_future(connection.reply(MENTION, decided(MENTION)))
        await asyncio.sleep(0.35)
        task.cancel()
        await asyncio.sleep(DEADLINE.total_seconds())

    played(story)
    assert len(connection.site.shown) == 1


@pytest.mark.parametrize("against", Help)
def test_the_same_reply_sent_twice_is_one_where_the_platform_helps(against: Help) -> None:
    """And two where it does not: nothing but the sender's wait stands between."""
    connection = connected(against, Becomes.RESET)

    async def story() -> None:
        await _posted(connection, decided(MENTION))
        await _posted(connection, decided(MENTION))

    played(story)
    assert len(connection.site.shown) == (2 if against is Help.NONE else 1)


def test_an_idempotency_key_is_forgotten_after_an_hour() -> None:
    """As Mastodon's is."""
    connection = connected(Help.KEY_FOR_AN_HOUR)

    async def story() -> None:
        await _posted(connection, decided(MENTION))
        await asyncio.sleep(3601)
        await _posted(connection, decided(MENTION))

    played(story)
    assert len(connection.site.shown) == 2


def test_an_earlier_reply_of_ours_is_not_taken_for_this_one() -> None:
    """An acknowledgement does not prove that the answer arrived."""
    connection = connected(Help.NONE)

    async def story() -> Posted | None:
        await _posted(connection, decided(MENTION, text="We have seen this.", key="C-100:ack"))
        await asyncio.sleep(60)
        return await connection.find_reply(MENTION, decided(MENTION))

    assert played(story) is None


def test_a_colleagues_answer_is_seen_and_ours_is_not_taken_for_theirs() -> None:
    """So nobody is answered twice by one brand."""
    connection = connected(Help.NONE)

    async def story() -> tuple[str | None, str | None, str]:
        ours = await _posted(connection, decided(MENTION))
        assert isinstance(ours, Posted)
        await asyncio.sleep(60)
        before = await connection.answered(MENTION, ours=frozenset({ours.id}))
        theirs = connection.site.colleague(MENTION.id, 60.0)
        return before, await connection.answered(MENTION, ours=frozenset({ours.id})), theirs.id

    before, after, theirs = played(story)
    assert (before, after) == (None, theirs)


def test_a_reply_is_taken_back_and_a_mention_read_as_it_is_now() -> None:
    """Twice is fine; an edit and a deletion are seen."""
    connection = connected(Help.NONE)
    post = connection.site.posts[MENTION.id]

    async def story() -> list[Present | Gone]:
        posted = await _posted(connection, decided(MENTION))
        assert isinstance(posted, Posted)
        await connection.take_back(posted.id)
        await connection.take_back(posted.id)
        await asyncio.sleep(60)
        assert await connection.find_reply(MENTION, decided(MENTION)) is None
        seen = [await connection.reread(MENTION)]
        post.versions.append((asyncio.get_running_loop().time(), "Found it"))
        seen += await connection.reread_all([MENTION])
        post.deleted = asyncio.get_running_loop().time()
        return [*seen, await connection.reread(MENTION)]

    assert played(story) == [Present(MENTION.text), Present("Found it"), Gone()]


def test_a_look_that_fails_says_so_and_proves_nothing() -> None:
    """A fault is never "there is no reply"."""
    connection = connected(Help.NONE)
    connection.site.down_until = 1000.0

    async def story() -> None:
        for look in (
            connection.reread(MENTION),
            connection.answered(MENTION, ours=frozenset()),
            connection.find_reply(MENTION, decided(MENTION)),
        ):
            with pytest.raises(Fault):
                await look

    played(story)


# ── the loop that all this runs on ───────────────────────────────────────────────────────────────


def test_waiting_takes_no_time_and_keeps_its_order() -> None:
    """An hour is a number; timers of one instant are run as they were set."""
    order: list[str] = []

    async def wait(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        order.append(name)

    async def story() -> float:
        await asyncio.gather(wait("late", 3600), wait("b", 5), wait("c", 5), wait("a", 1))
        return asyncio.get_running_loop().time()

    assert played(story) == 3600.0
    assert order == ["a", "b", "c", "late"]


def test_a_timeout_and_a_thread_run_on_the_loops_time() -> None:
    """`asyncio.timeout` ends after its virtual seconds; a thread's work is done in its place."""

    async def story() -> tuple[float, int]:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(20):
                await asyncio.sleep(30)
        return asyncio.get_running_loop().time(), await asyncio.to_thread(lambda: 7)

    assert played(story) == (20.0, 7)


def test_a_world_in_which_nothing_can_happen_any_more_says_so() -> None:
    """It is not waited for."""

    async def story() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Stuck):
        played(story)
