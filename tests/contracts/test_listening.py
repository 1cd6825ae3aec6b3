"""What every platform owes the listener: nothing missed, nothing invented, whatever the network does."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from casework.clock import ManualClock
from platforms.limits import OwnBudget
from platforms.platform import Platform
from tests.contracts.conftest import Ears
from tests.contracts.world import QUICK, ReadFate, World
from tests.fakes import naughty
from tests.fakes.waiting import until

OFF_FOR_AN_HOUR = 300
AT_ONCE = 250


def the_stream(world: World, platform: Platform) -> None:
    """Skip where a platform has no stream."""
    if not world.traits.has_stream or len(platform.paths) < 2:
        pytest.skip(f"{world.name} has no stream")


async def test_a_post_that_speaks_to_the_brand_is_heard(world: World, platform: Platform, ears: Ears) -> None:
    """With its author, its words, its time, and that it speaks to us."""
    await ears.open(*platform.paths)
    post = world.says("My bag is lost", author="maya")
    await ears.hear(post)
    mention = ears.mentions[post]

    assert mention.platform == world.name
    assert "My bag is lost" in mention.text
    assert mention.addressed
    assert mention.author.handle.split("@")[0].split(".")[0] == "maya"
    assert mention.author.id
    assert mention.created_at.tzinfo is not None


async def test_each_path_hears_on_its_own(world: World, platform: Platform, ears: Ears) -> None:
    """The sweep is the truth and the stream the speed: neither leans on the other."""
    for path in platform.paths:
        alone = Ears()
        await alone.open(path)
        post = world.says(f"{path.name} hears this")
        await alone.hear(post)
        await alone.close()


async def test_a_post_that_only_names_the_brand_is_told_apart(
    world: World, platform: Platform, ears: Ears
) -> None:
    """It may be answered by hand at most (X1, B1, M1)."""
    if not world.traits.finds_unaddressed:
        pytest.skip(f"{world.name} shows only what speaks to us")
    await ears.open(*platform.paths)
    post = world.says("Stuck with Aurora Air again", addressed=False)
    await ears.hear(post)

    assert not ears.mentions[post].addressed


async def test_a_longer_word_and_a_look_alike_are_not_the_brand(
    world: World, platform: Platform, ears: Ears
) -> None:
    """``auroraairlines`` is another company, and so is ``аuroraair`` with a Cyrillic letter."""
    if not world.traits.sifts_words:
        pytest.skip(f"{world.name} is given nothing to look for")
    await ears.open(*platform.paths)
    others = [
        world.says("auroraairlines lost my bag", addressed=False),
        world.says("@auroraair_fans say hi", addressed=False),
        world.says("аuroraair is a look-alike", addressed=False),
    ]
    last = world.says("Hello there")
    await ears.hear(last)

    assert not set(others) & set(ears.mentions)


async def test_a_reply_in_a_conversation_says_what_it_replies_to(
    world: World, platform: Platform, ears: Ears
) -> None:
    """So that it joins the case of what was said before."""
    await ears.open(*platform.paths)
    first = world.says("My bag is lost")
    second = world.says("Anybody there?", in_reply_to=first)
    await ears.hear(first, second)

    assert ears.mentions[second].in_reply_to == first
    assert ears.mentions[second].follows
    assert first in ears.mentions[second].threads


async def test_what_was_said_before_the_first_start_is_not_dug_up(
    world: World, platform: Platform, ears: Ears
) -> None:
    """A new installation begins now: nobody wants answers to last month's posts."""
    if world.name == "replay":
        pytest.skip("a recorded day is played from its beginning")
    old = world.says("Long ago")
    await ears.open(*platform.paths)
    new = world.says("Just now")
    await ears.hear(new)

    assert old not in ears.mentions


async def test_what_was_said_while_heard_was_off_is_heard_after_the_start(
    world: World, platform: Platform, ears: Ears, clock: ManualClock, tmp_path: Path
) -> None:
    """Up to the platform's own ceiling, which `Traits.ceiling` names."""
    await ears.open(*platform.paths)
    await ears.hear(world.says("Before"))
    await ears.close()
    await platform.close()
    clock.advance(timedelta(hours=1))
    missed = [world.says(f"Number {n}", author=f"author{n % 40}") for n in range(OFF_FOR_AN_HOUR)]
    again = world.connect(clock=clock, budget=OwnBudget(clock.now), folder=tmp_path)
    await ears.open(*again.paths)
    await ears.hear(*missed, within_s=30)
    await ears.close()
    await again.close()


async def test_a_restart_hears_little_of_what_it_heard_before(
    world: World, platform: Platform, ears: Ears, clock: ManualClock, tmp_path: Path
) -> None:
    """The cursor moves: a restart does not read the day again."""
    await ears.open(*platform.paths)
    early = [world.says(f"Early {n}") for n in range(30)]
    await ears.hear(*early)
    # One path has heard them all; the cursor of the other may stand before them still.
    every = [ears.heard_on.setdefault(path.name, set()) for path in platform.paths]
    await until(lambda: all(set(early) <= heard for heard in every), "every path to have heard them")
    await ears.close()
    await platform.close()
    clock.advance(timedelta(hours=1))
    cursors = dict(ears.cursors)
    later = Ears(cursors=cursors)
    again = world.connect(clock=clock, budget=OwnBudget(clock.now), folder=tmp_path)
    await later.open(*again.paths)
    await later.hear(world.says("After the restart"))
    await later.close()
    await again.close()

    assert len(set(early) & set(later.mentions)) <= 20


async def test_a_stream_that_is_closed_is_opened_again(world: World, platform: Platform, ears: Ears) -> None:
    """And what was said between is heard."""
    the_stream(world, platform)
    await ears.open(*platform.paths)
    posts = [world.says("One")]
    world.close_streams()
    posts.append(world.says("Two"))
    await until(lambda: world.connects >= 2, "a second connect")
    posts.append(world.says("Three"))
    await ears.hear(*posts)


async def test_a_stream_without_a_byte_is_noticed(world: World, platform: Platform, ears: Ears) -> None:
    """Silence is a dead line: it is opened again, and what was said meanwhile is heard."""
    the_stream(world, platform)
    await ears.open(*platform.paths)
    before = world.connects
    world.stream_loses("even signs of life")
    post = world.says("Into the silence")
    await until(lambda: world.connects > before, "a new connect after silence")
    world.stream_loses("nothing")
    await ears.hear(post)


async def test_a_stream_that_lives_and_sends_nothing_is_found_out(
    world: World, platform: Platform, ears: Ears, clock: ManualClock
) -> None:
    """By the sweep beside it, which hears what the stream should have sent."""
    the_stream(world, platform)
    await ears.open(*platform.paths)
    before = world.connects
    world.stream_loses("everything")
    clock.advance(timedelta(minutes=1))
    post = world.says("Into deaf ears")
    await ears.hear(post)
    await until(lambda: world.connects > before, "a new connect of a deaf stream")
    world.stream_loses("nothing")


async def test_a_stream_that_closes_at_once_is_not_hammered(
    world: World, clock: ManualClock, tmp_path: Path, ears: Ears
) -> None:
    """Never more than 45 connects in 15 minutes, however politely it closes."""
    platform = world.connect(
        clock=clock, budget=OwnBudget(clock.now), folder=tmp_path, manners=QUICK, every=timedelta(seconds=5)
    )
    the_stream(world, platform)
    await ears.open(platform.paths[0])

    async def keep_closing() -> None:
        while True:
            world.close_streams()
            await asyncio.sleep(0)

    closing = asyncio.create_task(keep_closing())
    await until(lambda: world.connects >= 45, "45 connects", within_s=30)
    await until(lambda: "too often" in platform.paths[0].state().words, "the budget to hold it back")
    closing.cancel()

    assert world.connects == 45
    assert not platform.paths[0].state().ok
    await platform.close()


async def test_what_comes_twice_and_in_disorder_is_the_same_mention(
    world: World, platform: Platform, ears: Ears
) -> None:
    """The id is the platform's own, whichever path it comes by."""
    the_stream(world, platform)
    await ears.open(*platform.paths)
    posts = [world.says(f"Number {n}") for n in range(5)]
    await ears.hear(*posts)
    world.repeat_stream()
    await ears.hear(world.says("The last"))

    assert len(ears.mentions) == 6


@pytest.mark.parametrize("fate", ["closed", "garbage", "429", "500", "503"])
async def test_faults_are_waited_out_and_nothing_is_lost(
    world: World, platform: Platform, ears: Ears, fate: ReadFate
) -> None:
    """Whatever a platform answers for a while, it is asked again; the state says what is wrong."""
    if world.name == "replay":
        pytest.skip("a recorded feed has no faults")
    await ears.open(*platform.paths)
    world.reads_become(fate)
    world.close_streams()
    post = world.says("During the storm")
    await until(lambda: not all(path.state().ok for path in platform.paths), "the fault to show")
    said = " ".join(path.state().words for path in platform.paths if not path.state().ok)
    world.reads_become("ok")
    await ears.hear(post, within_s=20)

    assert len(said) > 5


async def test_a_revoked_login_is_said_and_asks_for_a_person(
    world: World, platform: Platform, ears: Ears
) -> None:
    """It is not hammered, and the words say what happened."""
    if world.name == "replay":
        pytest.skip("a recorded feed has no login")
    await ears.open(*platform.paths)
    world.reads_become("401")
    world.close_streams()
    sweep = platform.paths[-1]
    await until(lambda: not sweep.state().ok, "the revoked login to show")

    assert f"{world.name.title()} refuses the login" in sweep.state().words


@pytest.mark.parametrize(
    ("fate", "words"),
    [("503", "answers with errors (503"), ("429", "asks for a pause"), ("401", "refuses the login")],
)
async def test_what_is_wrong_is_said_of_the_platform_by_name(
    world: World, platform: Platform, ears: Ears, fate: ReadFate, words: str
) -> None:
    """In words that a manager understands, for the desk's health page and the doctor."""
    if world.name == "replay":
        pytest.skip("a recorded feed has no faults")
    world.reads_become(fate)
    sweep = platform.paths[-1]
    listening = asyncio.create_task(anext(sweep.follow("1")))
    await until(lambda: words in sweep.state().words, "the words")
    listening.cancel()

    assert sweep.state().words.startswith(f"{world.name.title()} ")


async def test_an_edit_is_told(world: World, platform: Platform, ears: Ears) -> None:
    """Under the id that the mention has had from the beginning (X11)."""
    if not world.traits.tells_edits:
        pytest.skip(f"{world.name} does not tell of edits; reading again finds them")
    await ears.open(*platform.paths)
    post = world.says("My bag is lost")
    await ears.hear(post)
    world.edits(post, "My bag is found")
    await until(lambda: "found" in ears.edited.get(post, ""), "the edit to be told")


async def test_a_deletion_is_told(world: World, platform: Platform, ears: Ears) -> None:
    """Where the platform tells; elsewhere reading again finds it."""
    if not world.traits.tells_deletions:
        pytest.skip(f"{world.name} does not tell of deletions; reading again finds them")
    await ears.open(*platform.paths)
    post = world.says("I regret this")
    await ears.hear(post)
    world.deletes(post)
    await until(lambda: post in ears.removed, "the deletion to be told")


async def test_hostile_texts_are_heard_as_they_are(
    world: World, platform: Platform, ears: Ears, clock: ManualClock
) -> None:
    """No text breaks a path, and none is changed on the way."""
    # A look at a list of a thousand is slow; what a stream carries in seconds would take it minutes.
    corpora = naughty.CORPORA if world.traits.has_stream else naughty.CORPORA[:3]
    texts = [text for text in naughty.texts(*corpora) if _can_be_sent(text)]
    if not texts:
        pytest.skip("the hostile corpora are not on this machine")
    await ears.open(*platform.paths)
    for start in range(0, len(texts), AT_ONCE):
        some = {
            world.says(text, author=f"author{n % 50}"): text
            for n, text in enumerate(texts[start : start + AT_ONCE])
        }
        await ears.hear(*some, within_s=40)
        clock.advance(timedelta(minutes=20))
        changed = [text for post, text in some.items() if text.strip() not in ears.mentions[post].text]
        assert not changed


def _can_be_sent(text: str) -> bool:
    """Half a character cannot be written down in UTF-8, whoever would."""
    return text.isascii() or not any(0xD800 <= ord(letter) <= 0xDFFF for letter in text)


async def test_broken_json_in_a_stream_stops_nothing(world: World, platform: Platform, ears: Ears) -> None:
    """Each broken line is kept with what is wrong, or lets go of the connection; the next post is heard."""
    folder = naughty.NAUGHTY / "jsontestsuite" / "test_parsing"
    if not folder.exists():
        pytest.skip("the corpus is not on this machine")
    the_stream(world, platform)
    await ears.open(*platform.paths)
    for path in sorted(folder.iterdir()):
        world.send_raw(path.read_bytes().replace(b"\r", b" ").replace(b"\n", b" "))
    await ears.hear(world.says("Still there?"), within_s=20)

    assert all(not task.done() for task in ears.tasks)
