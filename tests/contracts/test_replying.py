"""What every platform owes the sender: one POST a decision, an honest fate, and proof when asked."""

import itertools
import time
from datetime import timedelta
from pathlib import Path

import pytest

from casework.clock import ManualClock
from casework.draft import ReplyKind
from casework.mention import Mention
from casework.reply import Outgoing
from platforms import departure
from platforms.faults import Fault
from platforms.limits import OwnBudget
from platforms.platform import Busy, Fate, Gone, Platform, Posted, Present, Refused, Unknown
from tests.contracts.conftest import Ears
from tests.contracts.world import PostFate, World
from tests.fakes.cases import NOON

WORDS = "Hi Maya, we are looking for your bag and will write again today. (AA-1)"


def decided(mention: Mention, text: str = WORDS, key: str = "C-100:1") -> Outgoing:
    return Outgoing(
        key=key,
        kind=ReplyKind.ANSWER,
        text=text,
        answers=mention.key,
        decided_by="nina",
        decided_at=NOON,
        started_at=NOON,
        attempts=1,
    )


@pytest.fixture
async def mention(world: World, platform: Platform, ears: Ears) -> Mention:
    """Somebody spoke to the brand and was heard."""
    await ears.open(*platform.paths)
    post = world.says("My bag is lost")
    await ears.hear(post)
    return ears.mentions[post]


async def test_a_reply_is_published_under_the_mention(
    world: World, platform: Platform, mention: Mention
) -> None:
    """Once, with its words, where the customer sees it."""
    fate = await platform.reply(mention, decided(mention))
    (seen,) = world.published()

    assert isinstance(fate, Posted)
    assert (fate.id, mention.id) == (seen.id, seen.in_reply_to)
    assert WORDS in seen.text
    assert fate.at.tzinfo is not None


FATES: dict[PostFate, type[Fate] | tuple[type[Fate], ...]] = {
    "ok": Posted,
    "lost": Unknown,
    "reset": Unknown,
    "dropped": Unknown,
    "garbage": Unknown,
    "429": Busy,
    "401": Busy,
    "403": Refused,
    "500": Unknown,
    "502": Unknown,
    "503": Unknown,
    "504": Unknown,
}


@pytest.mark.parametrize("becomes", FATES)
async def test_one_decision_is_one_post_and_its_fate_is_honest(
    world: World, platform: Platform, mention: Mention, becomes: PostFate
) -> None:
    """No library repeats it behind our back, whatever the network does to the answer."""
    world.next_posts(becomes)
    fate = await platform.reply(mention, decided(mention))

    assert isinstance(fate, FATES[becomes]), fate
    assert world.posts == 1


async def test_a_process_that_was_stopped_while_it_got_ready_posts_nothing(
    world: World, platform: Platform, mention: Mention, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on a minute later, when somebody may have looked for the reply already."""
    if world.name == "replay":
        pytest.skip("a recorded day reads nothing before it posts")
    readings = itertools.count()

    def slept() -> float:
        return time.monotonic() + (60.0 if next(readings) else 0.0)

    monkeypatch.setattr(departure, "monotonic", slept)
    fate = await platform.reply(mention, decided(mention))

    assert isinstance(fate, Busy)
    assert world.posts == 0
    monkeypatch.undo()
    assert isinstance(await platform.reply(mention, decided(mention)), Posted)


@pytest.mark.parametrize("becomes", ["ok", "lost", "reset", "garbage"])
async def test_what_was_published_is_found_by_a_look(
    world: World, platform: Platform, mention: Mention, becomes: PostFate
) -> None:
    """So an unknown fate becomes a known one."""
    world.next_posts(becomes)
    await platform.reply(mention, decided(mention))
    found = await platform.find_reply(mention, decided(mention))
    (seen,) = world.published()

    assert found is not None
    assert found.id == seen.id


@pytest.mark.parametrize("becomes", ["dropped", "500", "503"])
async def test_what_was_not_published_is_not_found(
    world: World, platform: Platform, mention: Mention, becomes: PostFate
) -> None:
    """And can be sent again, byte for byte."""
    world.next_posts(becomes)
    await platform.reply(mention, decided(mention))

    assert await platform.find_reply(mention, decided(mention)) is None
    assert isinstance(await platform.reply(mention, decided(mention)), Posted)
    assert len(world.published()) == 1


async def test_a_restarted_process_finds_what_the_last_one_sent(
    world: World, platform: Platform, mention: Mention, clock: ManualClock, tmp_path: Path
) -> None:
    """Nothing of the proof lies in the process."""
    world.next_posts("lost")
    await platform.reply(mention, decided(mention))
    again = world.connect(clock=clock, budget=OwnBudget(clock.now), folder=tmp_path)

    assert await again.find_reply(mention, decided(mention)) is not None
    await again.close()


async def test_the_same_reply_sent_twice_is_one_where_the_platform_helps(
    world: World, platform: Platform, mention: Mention
) -> None:
    """Bluesky by the record's key, Mastodon by the idempotency key, X by its refusal of a duplicate."""
    if not world.traits.same_reply_once:
        pytest.skip(f"{world.name} has no help against doubles")
    world.next_posts("lost")
    await platform.reply(mention, decided(mention))
    await platform.reply(mention, decided(mention))

    assert len(world.published()) == 1


async def test_an_earlier_reply_of_ours_is_not_taken_for_this_one(
    world: World, platform: Platform, mention: Mention
) -> None:
    """An acknowledgement does not prove that the answer arrived."""
    ack = decided(mention, text="We have seen this and will answer today. (AA-0)", key="C-100:ack")
    first = await platform.reply(mention, ack)
    found = await platform.find_reply(mention, decided(mention))

    assert isinstance(first, Posted)
    assert found is None


async def test_a_colleague_s_answer_is_seen(world: World, platform: Platform, mention: Mention) -> None:
    """And ours are not taken for theirs."""
    ours = await platform.reply(mention, decided(mention))
    assert isinstance(ours, Posted)
    assert await platform.answered(mention, ours=frozenset({ours.id})) is None
    theirs = world.colleague_answers(mention.id, "Hi Maya, Nina here: we have your bag.")

    assert await platform.answered(mention, ours=frozenset({ours.id})) == theirs


async def test_a_reply_is_taken_back(world: World, platform: Platform, mention: Mention) -> None:
    """Twice is fine."""
    posted = await platform.reply(mention, decided(mention))
    assert isinstance(posted, Posted)
    await platform.take_back(posted.id)
    await platform.take_back(posted.id)

    assert world.published() == []


async def test_a_mention_is_read_again_as_it_is_now(
    world: World, platform: Platform, mention: Mention
) -> None:
    """The same words while nothing happened, the new ones after an edit, gone after a deletion."""
    assert await platform.reread(mention) == Present(mention.text)
    if world.traits.tells_edits:
        world.edits(mention.id, "My bag is found")
        edited = await platform.reread(mention)
        assert isinstance(edited, Present)
        assert "found" in edited.text
    world.deletes(mention.id)

    assert await platform.reread(mention) == Gone()


async def test_many_mentions_are_read_again_in_order(world: World, platform: Platform, ears: Ears) -> None:
    """In few calls, each with its own fate."""
    await ears.open(*platform.paths)
    posts = [world.says(f"Number {n}") for n in range(120)]
    await ears.hear(*posts, within_s=20)
    for post in posts[::3]:
        world.deletes(post)
    seen = await platform.reread_all([ears.mentions[post] for post in posts])

    assert [isinstance(one, Gone) for one in seen] == [n % 3 == 0 for n in range(120)]


@pytest.mark.parametrize("fate", ["closed", "garbage", "429", "401", "503"])
async def test_a_look_that_fails_says_so_and_proves_nothing(
    world: World, platform: Platform, mention: Mention, fate: str
) -> None:
    """A fault is never "there is no reply"."""
    if world.name == "replay":
        pytest.skip("a recorded feed has no faults")
    world.reads_become(fate)  # type: ignore[arg-type]
    for look in (
        platform.reread(mention),
        platform.answered(mention, ours=frozenset()),
        platform.find_reply(mention, decided(mention)),
    ):
        with pytest.raises(Fault) as raised:
            await look
        assert raised.value.after > timedelta(0)


async def test_the_account_says_who_it_is(world: World, platform: Platform) -> None:
    """With its label, for the doctor and the rules."""
    profile = await platform.profile()

    assert profile is not None
    assert profile.id
    assert profile.handle


async def test_the_doctor_is_told_in_words(world: World, platform: Platform) -> None:
    """All is well, and the words say with which account; a revoked login is a problem with a remedy."""
    well = await platform.examine()
    assert any(finding.about == "login" and finding.state == "ok" for finding in well)
    assert not any(finding.state == "bad" for finding in well)
    if world.name == "replay":
        return
    world.reads_become("401")
    ill = await platform.examine()

    assert any(finding.state == "bad" and finding.fix for finding in ill)
