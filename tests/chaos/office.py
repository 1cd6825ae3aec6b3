"""The product as a process, the platforms and Slack as fakes on loopback, and the people around them.

`Office.open` starts `heard up` unmodified; customers keep writing, somebody keeps approving through the
desk's API, and what everybody was told in the end is counted.
"""

import asyncio
import json
import os
import random
import re
import shutil
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

import aiohttp

from casework.clock import ManualClock
from escalation.slack_web import CASE_CARD
from tests.chaos.cable import Cable, open_cable
from tests.contracts.worlds import bluesky, mastodon
from tests.fakes import bluesky_server, mastodon_server
from tests.fakes.slack_server import APP_TOKEN, BOT_TOKEN, SlackServer, open_slack
from tests.fakes.slack_things import Message

ROOT: Final = Path(__file__).parents[2]
TOKEN: Final = "a-token-of-the-tests"
START_S: Final = 90.0
ALONE: Final = 6
"""Every so many-th customer is left alone, so that their promise breaks."""
BROKEN_S: Final = 46.0
"""After so long a promise of 40 s is broken, and its alarm told."""
SELDOM: Final = 20
"""Every so many-th writes on Mastodon."""

Json = dict[str, Any]

BRAND: Final = """schema: 1
brand: {name: Aurora Air, handles: {HANDLES}, watch: [aurora air]}
promises:
  - {name: soon, within: 40s, warn_at: [50%], ladder: [{after: 0m, to: managers}]}
policy:
  - {id: everything, when: any, do: draft}
platforms:
PLATFORMS
team: {roles: {approver: ["@nina"], manager: ["@nina"]}, slack: SLACK}
"""


class WallClock(ManualClock):
    """The fakes' clock shows the machine's time, as the product's does."""

    def __init__(self) -> None:
        super().__init__(datetime.now(UTC))

    def now(self) -> datetime:
        """The machine's time."""
        return datetime.now(UTC)


class Published(Protocol):
    """A reply that is out."""

    @property
    def id(self) -> str: ...

    @property
    def in_reply_to(self) -> str: ...


class World(Protocol):
    """A platform with people on it."""

    def says(self, text: str, *, author: str = "maya") -> str: ...

    def published(self) -> Sequence[Published]: ...


@dataclass(frozen=True, slots=True)
class Post:
    """What a customer wrote, and when by the test's own clock."""

    platform: str
    id: str
    number: int
    alone: bool
    at: float


@dataclass(frozen=True, slots=True)
class Counted:
    """What became of everything, once all was at rest."""

    mentions: int
    lost: int
    unanswered: int
    double: int
    alarms: int
    alarms_double: int
    cards_double: int = 0
    boards_double: int = 0


@dataclass(eq=False)
class Office:
    """One brand, one process, and everybody around it."""

    home: Path
    port: int
    environment: dict[str, str]
    worlds: Mapping[str, World]
    cables: Mapping[str, Cable]
    slack: SlackServer | None
    posts: list[Post] = field(default_factory=list)
    exits: list[int] = field(default_factory=list)
    process: asyncio.subprocess.Process | None = None
    _http: aiohttp.ClientSession | None = None
    _browser: aiohttp.ClientSession | None = None
    _number: int = 0

    # ── the process ──────────────────────────────────────────────────────────────────────────────

    async def start(self) -> None:
        """`heard up`; returns once the desk answers or the process has ended."""
        # Beside its folder, not in it: that one is watched for changes.
        with self.home.with_suffix(".talk").open("ab") as talk:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "config.cli", "up", "--desk", f"127.0.0.1:{self.port}"),
                env=self.environment,
                cwd=self.home,
                stdout=talk,
                stderr=talk,
            )
        began = time.monotonic()
        while self.process.returncode is None and (await self.get("/livez"))[0] != 200:
            assert time.monotonic() - began < START_S, self.talk()
            await asyncio.sleep(0.1)

    async def until_it_listens(self) -> None:
        """Returns once every path of every platform says that it is well."""
        began = time.monotonic()
        while True:
            checks = (await self.api("/health") or {"checks": []})["checks"]
            paths = [check["state"] for check in checks if "/" in check["name"]]
            if paths and {*paths} == {"ok"}:
                return
            assert time.monotonic() - began < START_S, self.talk()
            await asyncio.sleep(0.2)

    async def end(self) -> None:
        """Kill it, if it lives."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def kept_alive(self) -> None:
        """What a supervisor does: starts it again whenever it ended, and notes how it ended."""
        while True:
            assert self.process is not None
            self.exits.append(await self.process.wait())
            await self.start()

    def talk(self) -> str:
        """What it said on the terminal."""
        return self.home.with_suffix(".talk").read_text(errors="replace")

    # ── looking at it ────────────────────────────────────────────────────────────────────────────

    async def get(self, path: str, *, patience_s: float = 15.0) -> tuple[int, str]:
        """Status and text of an answer to a program; 0 for none in time."""
        assert self._http is not None
        return await _ask(self._http, "GET", f"http://127.0.0.1:{self.port}{path}", patience_s)

    async def api(self, path: str, body: Json | None = None) -> Json | None:
        """What the API says; None if it does not, or refuses."""
        assert self._http is not None
        verb = "GET" if body is None else "POST"
        status, text = await _ask(
            self._http, verb, f"http://127.0.0.1:{self.port}/api/v1{path}", 15.0, json=body
        )
        return json.loads(text) if status == 200 else None

    async def page(self, path: str) -> tuple[int, str]:
        """A page as Nina's browser gets it; she signs in by the link that was printed last."""
        at = f"http://127.0.0.1:{self.port}"
        if self._browser is None:
            self._browser = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
            link = re.findall(r"http://\S+/login\?token=\S+", self.talk())[-1]
            async with self._browser.get(link) as answer:
                found = re.search(r'name="csrf" value="([^"]+)"', await answer.text())
            assert found
            form = {"csrf": found[1], "name": "Nina", "then": "/"}
            async with self._browser.post(f"{at}/name", data=form, headers={"Origin": at}) as answer:
                assert answer.status == 200
        return await _ask(self._browser, "GET", at + path, 15.0)

    async def doctor(self) -> tuple[str, float]:
        """What `heard doctor` says, and how many seconds it took."""
        began = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "config.cli", "doctor"),
            env=self.environment,
            cwd=self.home,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        return said.decode(), time.monotonic() - began

    async def desk_says(self) -> str:
        """Everything that the desk says of its health: the probe, the API, the page."""
        (ready, probe), (_, api), (page, html) = await asyncio.gather(
            self.get("/readyz"), self.get("/api/v1/health"), self.page("/health")
        )
        return f"readyz {ready}: {probe}\napi: {api}\npage {page}: {_text_of(html)}"

    # ── the people ───────────────────────────────────────────────────────────────────────────────

    def writes(self, platform: str, *, alone: bool = False) -> Post:
        """A customer writes to the brand."""
        self._number += 1
        number = self._number
        text = f"my bag is lost since yesterday, please help, this is number {number}"
        post_id = self.worlds[platform].says(text, author=f"customer{number}")
        self.posts.append(Post(platform, post_id, number, alone, time.monotonic()))
        return self.posts[-1]

    async def customers(self, every_s: float) -> None:
        """Write, until cancelled; on Mastodon seldom, where 300 calls in five minutes are 60 replies (M4)."""
        while True:
            seldom = "mastodon" in self.worlds and (self._number % SELDOM == 0 or len(self.worlds) == 1)
            platform = "mastodon" if seldom else next(name for name in self.worlds if name != "mastodon")
            self.writes(platform, alone=self._number % ALONE == ALONE - 1)
            await asyncio.sleep(every_s)

    async def approver(self) -> None:
        """Nina approves whatever waits, but for those who are left alone; until cancelled."""
        while True:
            page = await self.api("/cases?status=drafted,held&limit=200")
            alone = {(post.platform, post.id) for post in self.posts if post.alone}
            for case in (page or {"cases": []})["cases"]:
                if not any((case["platform"], mention["id"]) in alone for mention in case["mentions"]):
                    await self._approve(case)
            await asyncio.sleep(0.5)

    async def _approve(self, case: Json) -> None:
        path = f"/cases/{case['id']}"
        if not (case["draft"] and case["id"] in case["draft"]["text"]):
            text = f"We are looking for it now, and write to you today ({case['id']})."
            edited = await self.api(f"{path}/edit", {"version": case["version"], "by": "Nina", "text": text})
            if edited is None:
                return
            case = edited
        sha256 = case["draft"]["sha256"]
        await self.api(f"{path}/approve", {"version": case["version"], "by": "Nina", "draft_sha256": sha256})

    @asynccontextmanager
    async def busy(self, every_s: float = 1.5) -> AsyncIterator[None]:
        """Customers write, Nina approves."""
        tasks = [asyncio.create_task(self.customers(every_s)), asyncio.create_task(self.approver())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # ── what came of it ──────────────────────────────────────────────────────────────────────────

    def replies(self) -> Counter[tuple[str, str]]:
        """How many replies are under each post."""
        return Counter(
            (name, reply.in_reply_to) for name, world in self.worlds.items() for reply in world.published()
        )

    def answered(self, posts: Sequence[Post]) -> bool:
        """Whether all of them have a reply."""
        replies = self.replies()
        return all(replies[post.platform, post.id] for post in posts)

    async def until(self, condition: Callable[[], bool], within_s: float) -> float | None:
        """How long it took until something was so; None if it never was."""
        began = time.monotonic()
        while not condition():
            if time.monotonic() - began > within_s:
                return None
            await asyncio.sleep(0.1)
        return time.monotonic() - began

    async def normal_again(self, within_s: float = 60.0) -> float | None:
        """How long until what is written now is answered, on every platform."""
        written = [self.writes(platform) for platform in self.worlds]
        return await self.until(lambda: self.answered(written), within_s)

    async def card_again(self, within_s: float = 60.0) -> float | None:
        """How long until what is written now has its card in Slack."""
        post = self.writes(next(iter(self.worlds)), alone=True)
        began = time.monotonic()
        while time.monotonic() - began < within_s:
            case = await self._case_of(post)
            if case is not None and self.cards()[case["id"]]:
                return time.monotonic() - began
            await asyncio.sleep(0.2)
        return None

    async def click_again(self, within_s: float = 60.0) -> float | None:
        """How long until Nina's click on the card of what is written now has acted."""
        assert self.slack is not None
        post, began = self.writes(next(iter(self.worlds)), alone=True), time.monotonic()
        while time.monotonic() - began < within_s:
            case = await self._case_of(post)
            if case is not None and case["owner"]:
                return time.monotonic() - began
            card = self._card(case["id"]) if case is not None else None
            if card is not None:
                await self.slack.person("Nina").clicks(card, "card.take")
            await asyncio.sleep(1.0)
        return None

    def _card(self, case_id: str) -> Message | None:
        assert self.slack is not None
        shown = self.slack.messages("C0SOCIAL")
        return next((one for one in shown if _is_card(one) and case_id in str(one.now.metadata)), None)

    async def _case_of(self, post: Post) -> Json | None:
        page = await self.api("/cases?limit=200") or {"cases": []}
        return next(
            (case for case in page["cases"] if any(one["id"] == post.id for one in case["mentions"])), None
        )

    def forget_logins(self) -> None:
        """Every login that was given is over, and no restart may use what it wrote down of one."""
        world = self.worlds["bluesky"]
        assert isinstance(world, bluesky.BlueskyWorld)
        world.server.end_logins()

    async def rest(self, within_s: float = 150.0) -> float | None:
        """How long until everybody who is not left alone has an answer."""
        approving = asyncio.create_task(self.approver())
        try:
            posts = [post for post in self.posts if not post.alone]
            return await self.until(lambda: self.answered(posts), within_s)
        finally:
            approving.cancel()
            await asyncio.gather(approving, return_exceptions=True)

    async def until_broken(self) -> None:
        """Returns once the promise to each of the first who were left alone is broken, and told."""
        first = [post.at for post in self.posts if post.alone][:2]
        await asyncio.sleep(max(0.0, max(first, default=0.0) + BROKEN_S - time.monotonic()))

    async def counted(self) -> Counted:
        """Count everything, from the desk and from what the fakes have."""
        cases = await self._cases()
        known = {(case["platform"], mention["id"]) for case in cases for mention in case["mentions"]}
        replies = self.replies()
        mine = [(post.platform, post.id) for post in self.posts]
        alarms = Counter(
            (case["id"], part)
            for case in cases
            for entry in case["timeline"]
            if entry["what"] == "wake"
            for part in entry["detail"].split("; ")
            if "soon" in part
        )
        return Counted(
            mentions=len(mine),
            lost=sum(key not in known for key in mine),
            unanswered=sum(not replies[p.platform, p.id] for p in self.posts if not p.alone),
            double=sum(max(0, replies[key] - 1) for key in mine),
            alarms=sum(alarms.values()),
            alarms_double=sum(number - 1 for number in alarms.values()),
            cards_double=sum(number - 1 for number in self.cards().values()),
            boards_double=sum(number - 1 for number in self.boards().values()),
        )

    def cards(self) -> Counter[str]:
        """How many cards Slack shows of each case."""
        if self.slack is None:
            return Counter()
        shown = [one.now.metadata for one in self.slack.messages("C0SOCIAL") if _is_card(one)]
        return Counter(str((metadata or {})["event_payload"]["case"]) for metadata in shown)

    def boards(self) -> Counter[str]:
        """On how many of the managers' boards each broken promise stands."""
        if self.slack is None:
            return Counter()
        shown = [json.dumps(message.blocks) for message in self.slack.messages("C0LEADS")]
        return Counter(case for blocks in shown for case in {*re.findall(r'"row:(C-\d+):', blocks)})

    def doubled(self) -> str:
        """The cases that have more than one card, with what Slack shows of each."""
        shown = self.slack.messages("C0SOCIAL") if self.slack is not None else []
        doubled = [case for case, number in self.cards().items() if number > 1]
        return "; ".join(
            f"{one.ts} {one.thread_ts} {one.now.metadata} {one.text[:60]}"
            for one in shown
            if any(case in str(one.now.metadata) for case in doubled)
        )

    async def _cases(self) -> list[Json]:
        cases: list[Json] = []
        cursor = ""
        while True:
            page = await self.api(f"/cases?limit=200{cursor}")
            assert page is not None, "the desk does not list its cases"
            for case in page["cases"]:
                whole = await self.api(f"/cases/{case['id']}")
                assert whole is not None
                cases.append(whole)
            if not page["cursor"]:
                return cases
            cursor = f"&cursor={page['cursor']}"


async def _ask(
    http: aiohttp.ClientSession, verb: str, url: str, patience_s: float, **more: Any
) -> tuple[int, str]:
    try:
        async with (
            asyncio.timeout(patience_s),
            http.request(verb, url, **more) as answer,
        ):
            return answer.status, await answer.text()
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        return 0, type(error).__name__


def _is_card(message: Message) -> bool:
    return (message.now.metadata or {}).get("event_type") == CASE_CARD


def _text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


# ── opening ──────────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def open_office(
    home: Path, port: int, *, redis_url: str | None, seed: int = 1, slack: bool = True, only: str = ""
) -> AsyncIterator[Office]:
    """Everything started; ``only`` names one platform to be on."""
    await asyncio.to_thread(home.mkdir, parents=True, exist_ok=True)
    chance = random.Random(seed)
    async with AsyncExitStack() as stack:
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("HEARD_", "REDIS_"))}
        environment |= {"HEARD_HOME": str(home), "HEARD_DESK__TOKEN": TOKEN, "PYTHONPATH": str(ROOT)}
        environment |= {"REDIS_URL": redis_url} if redis_url else {}
        worlds: dict[str, World] = {}
        cables: dict[str, Cable] = {}
        if only in ("", "mastodon"):
            on_mastodon = await stack.enter_async_context(mastodon.open_world(WallClock()))
            cable = await stack.enter_async_context(open_cable(on_mastodon.server.url, chance))
            on_mastodon.server.url = f"http://127.0.0.1:{cable.port}"
            environment |= {
                "HEARD_MASTODON__URL": on_mastodon.server.url,
                "HEARD_MASTODON__ACCESS_TOKEN": mastodon_server.TOKEN,
            }
            worlds["mastodon"], cables["mastodon"] = on_mastodon, cable
        if only in ("", "bluesky"):
            on_bluesky = await stack.enter_async_context(bluesky.open_world(WallClock()))
            cable = await stack.enter_async_context(open_cable(on_bluesky.server.url, chance))
            at = f"127.0.0.1:{cable.port}"
            environment |= {
                "HEARD_BLUESKY__SERVICE_URL": f"http://{at}",
                "HEARD_BLUESKY__APPVIEW_URL": f"http://{at}",
                "HEARD_BLUESKY__JETSTREAM_URL": f"ws://{at}/subscribe",
                "HEARD_BLUESKY__HANDLE": bluesky_server.handle_of(bluesky_server.BRAND),
                "HEARD_BLUESKY__APP_PASSWORD": bluesky_server.PASSWORD,
            }
            worlds["bluesky"], cables["bluesky"] = on_bluesky, cable
        workspace = None
        if slack:
            workspace = await stack.enter_async_context(open_slack(seed=seed))
            workspace.person("Nina")
            cable = await stack.enter_async_context(open_cable(workspace.origin, chance))
            # Slack itself says where its sockets are: there, too, is the cable.
            workspace.origin = f"http://127.0.0.1:{cable.port}"
            environment |= {
                "HEARD_SLACK__BOT_TOKEN": BOT_TOKEN,
                "HEARD_SLACK__APP_TOKEN": APP_TOKEN,
                "HEARD_SLACK__API_URL": f"{workspace.origin}/api",
            }
            cables["slack"] = cable
        _write_brand(home, worlds, slack=slack)
        office = Office(home, port, environment, worlds, cables, workspace)
        office._http = await stack.enter_async_context(
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"})
        )
        try:
            await office.start()
            # A first start begins with now: what is written before it listens is nobody's.
            await office.until_it_listens()
            await office.page("/")
            yield office
        finally:
            await office.end()
            if office._browser is not None:
                await office._browser.close()


def _write_brand(home: Path, platforms: Mapping[str, World], *, slack: bool) -> None:
    handles = {"mastodon": mastodon_server.BRAND, "bluesky": bluesky_server.handle_of(bluesky_server.BRAND)}
    text = BRAND.replace("HANDLES", json.dumps({name: handles[name] for name in platforms})[1:-1])
    parts = [f"  {name}: {{listen: true, reply: when_mentioned}}" for name in platforms]
    text = text.replace("PLATFORMS", "\n".join(parts))
    where = '{channel: "#social-care", managers: "#social-leads"}' if slack else "{}"
    (home / "brand.yaml").write_text(text.replace("SLACK", where))
    defaults = ROOT / "config" / "defaults"
    shutil.copy(defaults / "templates.yaml", home)
    (home / "knowledge").mkdir(exist_ok=True)
    shutil.copy(defaults / "KB-01-opening-hours.md", home / "knowledge")
