"""Heard on the reference Bluesky network: what the contract's world claims, asked of the real one."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from casework.clock import SystemClock
from casework.draft import ReplyKind
from casework.mention import Mention
from casework.reply import Outgoing
from platforms.bluesky import connect
from platforms.faults import Revoked
from platforms.limits import OwnBudget
from platforms.listening import Manners
from platforms.platform import Finding, Gone, Platform, Posted, Present, Refused
from platforms.platform import Path as ListeningPath
from platforms.setup import Setup
from tests.contracts.conftest import Ears
from tests.fakes.waiting import until
from tests.peers.bluesky.network import Network, bluesky_network
from tests.peers.bluesky.people import Person, shown, thread

pytestmark = [pytest.mark.peers, pytest.mark.timeout(600)]

WORDS = "Hi Maya, we are looking for your bag and will write again today. (AA-1)"


@dataclass(frozen=True)
class Cast:
    """Who is on the network: the brand, with its password for Heard, and two who fly."""

    network: Network
    brand: Person
    maya: Person
    omar: Person
    app_password: str

    def connects(self, folder: Path, app_password: str | None = None) -> Platform:
        """Heard's side of it, as a process makes it that finds this folder."""
        clock = SystemClock()
        return connect(
            Setup(
                brand="Aurora Air",
                words=("aurora air", "auroraair"),
                handles=frozenset({self.brand.handle}),
                clock=clock,
                budget=OwnBudget(clock.now),
                folder=folder,
                access={
                    "handle": self.brand.handle,
                    "app_password": self.app_password if app_password is None else app_password,
                    "service_url": self.network.pds,
                    "appview_url": self.network.appview,
                    "jetstream_url": self.network.jetstream,
                },
                manners=Manners(gap=timedelta(seconds=0.1)),
                every=timedelta(seconds=0.5),
            )
        )


@pytest.fixture(scope="module")
def cast() -> Iterator[Cast]:
    """A network and its people, for all tests: each looks at its own posts."""
    with bluesky_network() as network:
        brand, maya, omar = (Person.joins(network, name) for name in ("auroraair", "maya", "omar"))
        yield Cast(network, brand, maya, omar, brand.app_password("heard"))


@pytest.fixture
async def platform(cast: Cast, tmp_path: Path) -> AsyncIterator[Platform]:
    """Heard, connected as the brand."""
    connected = cast.connects(tmp_path)
    yield connected
    await connected.close()


@asynccontextmanager
async def listening(*paths: ListeningPath, cursors: Mapping[str, str] | None = None) -> AsyncIterator[Ears]:
    """Somebody who listens on these paths, from where they were."""
    ears = Ears(cursors=dict(cursors or {}))
    try:
        await ears.open(*paths)
        yield ears
    finally:
        await ears.close()


@pytest.fixture
async def mention(cast: Cast, platform: Platform) -> Mention:
    """Maya spoke to the brand and was heard."""
    async with listening(*platform.paths) as ears:
        post = cast.maya.says("My bag is lost", to=cast.brand)
        await ears.hear(post)
        return ears.mentions[post]


def decided(mention: Mention, text: str = WORDS) -> Outgoing:
    now = datetime.now(UTC)
    return Outgoing(
        key="C-100:1",
        kind=ReplyKind.ANSWER,
        text=text,
        answers=mention.key,
        decided_by="nina",
        decided_at=now,
        started_at=now,
        attempts=1,
    )


async def test_a_mention_is_heard_on_each_path_alone(cast: Cast, platform: Platform) -> None:
    """By the stream from the firehose, by the sweep from the notifications: the same mention."""
    assert len(platform.paths) == 2
    for path in platform.paths:
        async with listening(path) as ears:
            post = cast.maya.says(f"{path.name} hears this", to=cast.brand)
            await ears.hear(post)
        mention = ears.mentions[post]

        assert mention.addressed
        assert (mention.author.id, mention.author.handle) == (cast.maya.did, cast.maya.handle)
        assert f"{path.name} hears this" in mention.text


async def test_both_paths_tell_the_same_mention_alike(cast: Cast, platform: Platform) -> None:
    """Whichever comes first makes the case."""
    stream, sweep = platform.paths
    async with listening(stream) as by_stream, listening(sweep) as by_sweep:
        post = cast.maya.says("Where is it? Wo ist er? どこ？ 🧳", to=cast.brand)
        await by_stream.hear(post)
        await by_sweep.hear(post)

    assert by_stream.mentions[post] == by_sweep.mentions[post]


async def test_a_post_that_only_names_the_brand_is_heard_and_told_apart(
    cast: Cast, platform: Platform
) -> None:
    """It may be answered by hand at most (B1)."""
    async with listening(*platform.paths) as ears:
        post = cast.omar.says("Stuck with Aurora Air again")
        await ears.hear(post)
    assert not ears.mentions[post].addressed


async def test_a_reply_stands_under_the_mention_for_everybody(
    cast: Cast, platform: Platform, mention: Mention
) -> None:
    """Once, with its words, in the thread that the view shows without a login."""
    fate = await platform.reply(mention, decided(mention))
    assert isinstance(fate, Posted)
    await until(lambda: bool(thread(cast.network, mention.id)), "the reply in the thread")
    (seen,) = thread(cast.network, mention.id)

    assert (seen["uri"], seen["record"]["text"]) == (fate.id, WORDS)
    assert seen["author"]["handle"] == cast.brand.handle


async def test_a_reply_in_a_thread_keeps_its_root(cast: Cast, platform: Platform) -> None:
    """A reply links its parent and the post that began it all, or the app shows it in the wrong place."""
    root = cast.omar.says("Everything is late today")
    async with listening(*platform.paths) as ears:
        post = cast.maya.says("are you?", to=cast.brand, answering=root)
        await ears.hear(post)
    mention = ears.mentions[post]
    fate = await platform.reply(mention, decided(mention))
    assert isinstance(fate, Posted)

    (reply,) = cast.brand.answers(post)
    assert reply["value"]["reply"]["root"]["uri"] == root
    assert (mention.in_reply_to, mention.conversation) == (root, root)


async def test_the_same_reply_again_is_the_same_record(
    cast: Cast, platform: Platform, mention: Mention, tmp_path: Path
) -> None:
    """Two processes that know nothing of each other make one reply between them (RULES §2.2)."""
    outgoing = decided(mention)
    first = await platform.reply(mention, outgoing)
    stranger = cast.connects(tmp_path / "elsewhere")
    again = await stranger.reply(mention, replace(outgoing, attempts=2))
    await stranger.close()

    assert isinstance(first, Posted)
    assert isinstance(again, Posted)
    assert [reply["uri"] for reply in cast.brand.answers(mention.id)] == [first.id] == [again.id]


async def test_the_same_reply_twice_at_once_is_the_same_record(
    cast: Cast, platform: Platform, mention: Mention, tmp_path: Path
) -> None:
    """The server itself decides between them: both look first, and both see nothing there."""
    strangers = [cast.connects(tmp_path / str(n)) for n in range(4)]
    await asyncio.gather(*(stranger.profile() for stranger in strangers))
    fates = await asyncio.gather(*(stranger.reply(mention, decided(mention)) for stranger in strangers))
    for stranger in strangers:
        await stranger.close()

    (reply,) = cast.brand.answers(mention.id)
    assert {fate.id for fate in fates if isinstance(fate, Posted)} == {reply["uri"]}
    assert not any(isinstance(fate, Refused) for fate in fates)


async def test_a_reply_is_found_and_one_that_was_not_sent_is_not(
    platform: Platform, mention: Mention
) -> None:
    """The look that proves: straight from the account's own records."""
    outgoing = decided(mention)
    assert await platform.find_reply(mention, outgoing) is None
    fate = await platform.reply(mention, outgoing)
    assert isinstance(fate, Posted)
    found = await platform.find_reply(mention, outgoing)
    assert found is not None
    assert found.id == fate.id


async def test_a_colleagues_answer_is_seen_and_ours_is_not_taken_for_one(
    cast: Cast, platform: Platform, mention: Mention
) -> None:
    """Whoever answers in the app answers with the brand's own account."""
    fate = await platform.reply(mention, decided(mention))
    assert isinstance(fate, Posted)
    ours = frozenset({fate.id})
    await until(lambda: bool(thread(cast.network, mention.id)), "the reply in the thread")
    assert await platform.answered(mention, ours=ours) is None

    theirs = cast.brand.says("I am on it", answering=mention.id)
    await until(lambda: len(thread(cast.network, mention.id)) == 2, "the colleague's answer in the thread")
    assert await platform.answered(mention, ours=ours) == theirs


async def test_a_strangers_answer_is_nobodys_of_the_brand(
    cast: Cast, platform: Platform, mention: Mention
) -> None:
    """Others talk in the thread too."""
    cast.omar.says("mine too", answering=mention.id)
    await until(lambda: bool(thread(cast.network, mention.id)), "the stranger's answer in the thread")
    assert await platform.answered(mention, ours=frozenset()) is None


async def test_a_deleted_mention_is_told_and_gone(cast: Cast, platform: Platform) -> None:
    """By the stream at once, and by a look whenever one is taken."""
    async with listening(*platform.paths) as ears:
        post = cast.maya.says("My bag is lost", to=cast.brand)
        await ears.hear(post)
        mention = ears.mentions[post]
        assert await platform.reread(mention) == Present(mention.text)
        cast.maya.deletes(post)
        await until(lambda: post in ears.removed, "the deletion")
    await until(lambda: not thread(cast.network, post), "the view knowing of it")
    assert await platform.reread(mention) == Gone()
    assert isinstance(await platform.reply(mention, decided(mention)), Refused)
    assert cast.brand.answers(post) == []


async def test_a_mention_is_read_again_as_it_is_now(cast: Cast, platform: Platform, mention: Mention) -> None:
    """The view shows other words written over a post: what was approved answers something else."""
    cast.maya.edits(mention.id, "My bag is found")
    await until(lambda: "found" in shown(cast.network, mention.id), "the view showing other words")
    assert await platform.reread(mention) == Present("My bag is found")


async def test_what_an_author_wrote_is_gone_with_the_account(cast: Cast, platform: Platform) -> None:
    """Nobody deletes the posts one by one then."""
    ida = Person.joins(cast.network, "ida")
    async with listening(*platform.paths) as ears:
        post = ida.says("My bag is lost", to=cast.brand)
        await ears.hear(post)
        ida.leaves()
        await until(lambda: post in ears.removed, "the deletion")
    await until(lambda: not thread(cast.network, post), "the view knowing of it")
    assert await platform.reread(ears.mentions[post]) == Gone()


async def test_handles_and_links_in_a_reply_can_be_pressed(
    cast: Cast, platform: Platform, mention: Mention
) -> None:
    """The account behind the handle is asked of the network; bytes are counted, not letters."""
    words = f"Grüße, @{cast.maya.handle} 🧳 → https://aurora.example/bags?x=1, please."
    assert isinstance(await platform.reply(mention, decided(mention, words)), Posted)

    (reply,) = cast.brand.answers(mention.id)
    pressed = {
        words.encode()[facet["index"]["byteStart"] : facet["index"]["byteEnd"]].decode(): feature
        for facet in reply["value"]["facets"]
        for feature in facet["features"]
    }
    assert pressed[f"@{cast.maya.handle}"]["did"] == cast.maya.did
    assert pressed["https://aurora.example/bags?x=1"]["uri"] == "https://aurora.example/bags?x=1"


async def test_a_reply_is_taken_back(cast: Cast, platform: Platform, mention: Mention) -> None:
    """And once more, of which there is nothing left."""
    fate = await platform.reply(mention, decided(mention))
    assert isinstance(fate, Posted)
    await platform.take_back(fate.id)
    await platform.take_back(fate.id)
    assert cast.brand.answers(mention.id) == []
    assert await platform.find_reply(mention, decided(mention)) is None


async def test_a_wrong_password_is_said_in_words(cast: Cast, tmp_path: Path) -> None:
    """To a person who can put it right; and nothing is posted."""
    stranger = cast.connects(tmp_path, "not-the-password")
    with pytest.raises(Revoked) as fault:
        await stranger.profile()
    findings = await stranger.examine()
    await stranger.close()

    assert str(fault.value)
    assert fault.value.fix
    assert any(finding.state == "bad" and finding.words and finding.fix for finding in findings)


@pytest.mark.parametrize("slow_by", [timedelta(seconds=3), timedelta(minutes=1), timedelta(hours=2)])
async def test_a_post_from_a_slow_clock_is_heard_on_each_path(
    cast: Cast, platform: Platform, slow_by: timedelta
) -> None:
    """Notifications stand where the author's clock puts them, which may be before what was heard last."""
    for path in platform.paths:
        async with listening(path) as ears:
            await ears.hear(cast.maya.says("on time", to=cast.brand))
            await ears.hear(cast.omar.says("from a slow clock", to=cast.brand, slow_by=slow_by))


async def test_what_was_missed_while_down_is_heard_after_a_restart(cast: Cast, tmp_path: Path) -> None:
    """By each path on its own, from the cursor that the listener kept."""
    before = cast.connects(tmp_path)
    cursors: dict[str, str] = {}
    for path in before.paths:
        async with listening(path) as ears:
            await ears.hear(cast.maya.says("before", to=cast.brand))
        cursors |= ears.cursors
    await before.close()
    missed = [cast.maya.says(f"while you were out {n}", to=cast.brand) for n in range(3)]

    after = cast.connects(tmp_path)
    for path in after.paths:
        async with listening(path, cursors=cursors) as ears:
            await ears.hear(*missed)
    await after.close()


async def test_a_restart_logs_in_no_second_time(cast: Cast, tmp_path: Path) -> None:
    """Logins are rationed (B3): the session is kept, so that even a wrong password does no harm."""
    first = cast.connects(tmp_path)
    profile = await first.profile()
    await first.close()
    second = cast.connects(tmp_path, "not-the-password")
    assert await second.profile() == profile
    await second.close()

    assert profile is not None
    assert (profile.id, profile.handle) == (cast.brand.did, cast.brand.handle)
    kept = [path.stat().st_mode for path in tmp_path.rglob("*") if path.is_file()]  # noqa: ASYNC240
    assert kept
    assert not any(mode & 0o077 for mode in kept)


async def test_a_login_that_has_run_out_is_renewed_without_the_password(cast: Cast, tmp_path: Path) -> None:
    """By the refresh token, which works once; what was renewed is kept in its place."""
    first = cast.connects(tmp_path)
    await first.profile()
    await first.close()
    for _ in range(2):
        spoil_access(tmp_path)
        again = cast.connects(tmp_path, "not-the-password")
        login = await login_of(again)
        await again.close()
        assert login.state == "ok", login.words


async def test_a_password_that_was_revoked_is_said_in_words(cast: Cast, tmp_path: Path) -> None:
    """Somebody tidied up the app passwords: a person must make a new one."""
    password = cast.brand.app_password("tidied up")
    first = cast.connects(tmp_path, password)
    assert (await login_of(first)).state == "ok"
    await first.close()

    cast.brand.revokes("tidied up")
    spoil_access(tmp_path)
    again = cast.connects(tmp_path, password)
    login = await login_of(again)
    await again.close()
    assert login.state == "bad"
    assert "app password" in login.fix


async def login_of(platform: Platform) -> Finding:
    """What the doctor finds about the login."""
    return next(finding for finding in await platform.examine() if finding.about == "login")


def spoil_access(folder: Path) -> None:
    """Make the kept access token one that the server has never signed, as if it had run out."""
    (kept,) = folder.rglob("session.json")
    session = json.loads(kept.read_text())
    session["access"] = session["access"][:-6]
    kept.write_text(json.dumps(session))


async def test_the_label_of_a_bot_is_seen(cast: Cast, platform: Platform) -> None:
    """Bluesky asks automatic accounts to say so on the profile (B2)."""
    cast.brand.labels_itself_a_bot()
    profile = await platform.profile()

    assert profile is not None
    assert profile.labelled
    assert profile.says == "Aurora Air, automatic"
