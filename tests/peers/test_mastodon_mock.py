"""Against a Mastodon server that others wrote: over real HTTP, in a process of its own.

Not part of the normal tests: ``pytest -m peers tests/peers/test_mastodon_mock.py``. The server is the
package ``mastodon_mock`` with a file database.
"""

import json
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from casework.clock import SystemClock
from casework.draft import ReplyKind
from casework.mention import Mention
from casework.reply import Outgoing
from platforms.faults import Offline, Revoked
from platforms.limits import OwnBudget
from platforms.listening import Manners
from platforms.mastodon import MastodonPlatform, connect
from platforms.platform import Busy, Gone, Posted, Present, Refused, Unknown
from platforms.setup import Setup
from tests.contracts.conftest import Ears
from tests.fakes.waiting import until, wait_until

pytest.importorskip("mastodon_mock")
pytestmark = [pytest.mark.peers, pytest.mark.timeout(120)]

WORDS = "Hi Maya, we are looking for your bag. (AA-1)"

CONFIG = """
[database]
path = "{database}"

[streaming]
heartbeat_seconds = 0.2

[[seed.accounts]]
username = "auroraair"
display_name = "Aurora Air"
access_token = "brand_token"

[[seed.accounts]]
username = "maya"
display_name = "Maya"
access_token = "maya_token"
"""


class Peer:
    """The server as a process, and people who use it over HTTP."""

    def __init__(self, folder: Path) -> None:
        self._config = folder / "mock.toml"
        self._config.write_text(CONFIG.format(database=folder / "mock.sqlite3"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = folder / "mock.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "mastodon_mock", "serve", "--config", str(self._config)),
                    *("--host", "127.0.0.1", "--port", str(self.port)),
                ],
                stdout=log,
                stderr=log,
            )
        wait_until(self._answers, f"the server to start: {self._log}", within_s=40)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/api/v1/streaming/health", timeout=1).ok
        except requests.RequestException:
            return False

    def call(self, method: str, path: str, *, by: str = "maya", **body: object) -> Any:
        answer = requests.request(
            method,
            self.url + path,
            data=json.dumps(body),
            headers={"Authorization": f"Bearer {by}_token", "Content-Type": "application/json"},
            timeout=10,
        )
        answer.raise_for_status()
        return answer.json()

    def says(self, text: str) -> str:
        made = self.call("POST", "/api/v1/statuses", status=text)
        return str(made["id"])

    def breaks(self, status: int, *, times: int = 1, kind: str = "status") -> None:
        """The next POSTs of statuses go wrong."""
        match = {"methods": ["POST"], "path": "/api/v1/statuses"}
        effect = {"type": kind, "status": status}
        self.call("POST", "/api/v1/_mock/faults", match=match, effect=effect, count=times)

    def published(self) -> list[str]:
        me = self.call("GET", "/api/v1/accounts/verify_credentials", by="brand")
        listed = self.call("GET", f"/api/v1/accounts/{me['id']}/statuses?limit=40", by="brand")
        return [str(one["id"]) for one in listed]

    def posts_in_log(self) -> int:
        return self._log.read_text().count('"POST /api/v1/statuses HTTP')


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    server = Peer(tmp_path_factory.mktemp("peer"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def peer(running: Peer) -> Peer:
    """The server as it was when it started."""
    running.call("POST", "/api/v1/_mock/reset")
    return running


def a_platform(peer: Peer, *, by: str = "brand") -> MastodonPlatform:
    clock = SystemClock()
    return connect(
        Setup(
            brand="Aurora Air",
            words=("aurora air",),
            handles=frozenset({"auroraair"}),
            clock=clock,
            budget=OwnBudget(clock.now),
            folder=Path(),
            access={"url": peer.url, "access_token": f"{by}_token"},
            manners=Manners(
                silence=timedelta(seconds=2),
                gap=timedelta(seconds=0.1),
                first_wait=timedelta(seconds=0.1),
                longest_wait=timedelta(seconds=1),
                deaf=timedelta(seconds=5),
            ),
            every=timedelta(seconds=0.5),
        )
    )


@pytest.fixture
async def platform(peer: Peer) -> AsyncIterator[MastodonPlatform]:
    connected = a_platform(peer)
    yield connected
    await connected.close()


@pytest.fixture
async def ears() -> AsyncIterator[Ears]:
    listening = Ears()
    yield listening
    await listening.close()


@pytest.fixture
async def mention(peer: Peer, platform: MastodonPlatform, ears: Ears) -> Mention:
    """Maya spoke to the brand."""
    await ears.open(*platform.paths)
    post = peer.says("@auroraair My bag is lost\n\nsee https://example.com/a/long/path?of=a&bag=1")
    await ears.hear(post)
    return ears.mentions[post]


def decided(mention: Mention, text: str = WORDS, key: str = "C-100:1") -> Outgoing:
    now = datetime.now(UTC)
    return Outgoing(key, ReplyKind.ANSWER, text, mention.key, "nina", now, started_at=now, attempts=1)


async def test_a_mention_is_heard_by_every_path(peer: Peer, platform: MastodonPlatform) -> None:
    """By the user's stream, by the public one, and by the sweep, each alone."""
    for path in platform.paths:
        alone = Ears()
        await alone.open(path)
        post = peer.says(f"@auroraair {path.name} hears this")
        await alone.hear(post)
        heard = alone.mentions[post]
        await alone.close()

        assert heard.text == f"@auroraair {path.name} hears this"
        assert (heard.author.handle, heard.addressed) == ("maya", True)


async def test_who_only_names_the_brand_is_heard_in_public(
    peer: Peer, platform: MastodonPlatform, ears: Ears
) -> None:
    """And is told apart."""
    await ears.open(*platform.paths)
    post = peer.says("Stuck with Aurora Air again")
    await ears.hear(post)

    assert not ears.mentions[post].addressed


async def test_a_reply_is_posted_found_seen_and_taken_back(
    peer: Peer, platform: MastodonPlatform, mention: Mention
) -> None:
    """The whole way, and the same reply twice is one."""
    posted = await platform.reply(mention, decided(mention))
    again = await platform.reply(mention, decided(mention))

    assert isinstance(posted, Posted)
    assert isinstance(again, Posted)
    assert posted.id == again.id
    assert peer.published() == [posted.id]
    assert await platform.find_reply(mention, decided(mention)) == posted
    assert await platform.answered(mention, ours=frozenset()) == posted.id
    assert await platform.answered(mention, ours=frozenset({posted.id})) is None
    await platform.take_back(posted.id)
    await platform.take_back(posted.id)
    assert peer.published() == []


async def test_a_mention_is_read_again(peer: Peer, platform: MastodonPlatform, mention: Mention) -> None:
    """As it was, as it is after an edit, and gone."""
    assert await platform.reread(mention) == Present(mention.text)
    peer.call("PUT", f"/api/v1/statuses/{mention.id}", status="@auroraair My bag is found")
    assert await platform.reread(mention) == Present("@auroraair My bag is found")
    peer.call("DELETE", f"/api/v1/statuses/{mention.id}")
    assert await platform.reread(mention) == Gone()
    assert await platform.reread_all([mention]) == [Gone()]


async def test_edits_and_deletions_are_told(peer: Peer, mention: Mention, ears: Ears) -> None:
    """By the public stream."""
    peer.call("PUT", f"/api/v1/statuses/{mention.id}", status="@auroraair My bag is found")
    await until(lambda: "found" in ears.edited.get(mention.id, ""), "the edit")
    peer.call("DELETE", f"/api/v1/statuses/{mention.id}")
    await until(lambda: mention.id in ears.removed, "the deletion")


async def test_too_long_is_refused_before_and_by_the_server(
    peer: Peer, platform: MastodonPlatform, mention: Mention, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By our own count, and with the server's words when ours is wrong."""
    before = peer.posts_in_log()
    assert isinstance(await platform.reply(mention, decided(mention, text="ä" * 600)), Refused)
    assert peer.posts_in_log() == before
    real = await platform._server()
    monkeypatch.setattr(platform, "_known_server", type(real)(real.streaming, 10_000, ()))
    fate = await platform.reply(mention, decided(mention, text="ä" * 600))

    assert isinstance(fate, Refused)
    assert "character" in fate.why.lower()
    assert peer.published() == []


@pytest.mark.parametrize(
    ("status", "kind", "becomes"),
    [
        (503, "status", Unknown),
        (200, "malformed", Unknown),
        (429, "ratelimit", Busy),
        (403, "status", Refused),
    ],
)
async def test_a_fault_of_the_server_is_told_honestly_and_posted_once(
    peer: Peer, platform: MastodonPlatform, mention: Mention, status: int, kind: str, becomes: type
) -> None:
    """One POST on the wire, and nothing published."""
    before = peer.posts_in_log()
    peer.breaks(status, kind=kind)
    fate = await platform.reply(mention, decided(mention))
    await until(lambda: peer.posts_in_log() > before, "the POST in the server's log")

    assert isinstance(fate, becomes)
    assert peer.posts_in_log() == before + 1
    assert await platform.find_reply(mention, decided(mention)) is None


async def test_a_wrong_token_asks_for_a_person(peer: Peer, mention: Mention) -> None:
    """On every way."""
    stranger = a_platform(peer, by="nobody")
    with pytest.raises(Revoked):
        await stranger.profile()
    findings = await stranger.examine()

    assert isinstance(await stranger.reply(mention, decided(mention)), Busy)
    assert any(finding.state == "bad" and finding.fix for finding in findings)
    await stranger.close()


async def test_what_was_said_during_a_restart_of_ours_and_of_theirs_is_heard(
    peer: Peer, platform: MastodonPlatform, mention: Mention, ears: Ears
) -> None:
    """The server dies and comes back; we stop, miss a hundred, and start again."""
    peer.stop()
    await until(lambda: not platform.paths[0].state().ok, "the stream to notice")
    with pytest.raises(Offline):
        await platform.reread(mention)
    peer.start()
    await ears.hear(peer.says("@auroraair Are you back?"), within_s=20)
    await until(lambda: platform.paths[0].state().ok, "the stream to be back", within_s=20)
    await ears.close()
    missed = [peer.says(f"@auroraair Number {n}") for n in range(100)]
    again = a_platform(peer)
    began = time.monotonic()
    await ears.open(*again.paths)
    await ears.hear(*missed, within_s=20)

    assert time.monotonic() - began < 20
    await ears.close()
    await again.close()


async def test_the_doctor_reads_the_server(platform: MastodonPlatform) -> None:
    """Everything that it says about itself is understood."""
    findings = {finding.about: finding for finding in await platform.examine()}

    assert findings["login"].state == "ok"
    assert not [finding for finding in findings.values() if finding.state == "bad"]
    assert {"label", "rules", "length", "limits"} <= set(findings)
