"""Each dependency disturbed in each way, under load: nothing lost, nothing doubled, well again in 30 s.

`make chaos` runs it and prints the table. Every scenario starts the unmodified product as a process.
"""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.chaos.cable import Answering, Cable, Fate, Refused, Silent, Whole, open_cable
from tests.chaos.course import BAR_S, HEAD, Row, Scenario, walk
from tests.chaos.office import Office, open_office
from tests.chaos.stores import OwnServer, free_port, kept_alive, kept_full, small_disk
from tests.fakes import bluesky_server, mastodon_server
from tests.fakes.waiting import until

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(900)]

SEED = int(os.environ.get("SEED", "1"))
SILENT = "the store does not answer"


@pytest.fixture(scope="session")
def table() -> Iterator[list[Row]]:
    """The rows of every scenario, printed in the end."""
    rows: list[Row] = []
    yield rows
    print(f"\n\nseed {SEED}\n{HEAD}")  # noqa: T201
    for row in rows:
        print(row.line())  # noqa: T201


async def through(office: Office, table: list[Row], *scenarios: Scenario) -> None:
    """One scenario after the other in one process, which must outlive them all."""
    for scenario in scenarios:
        row = await walk(office, scenario)
        table.append(row)
        print(f"\n{HEAD}\n{row.line()}")  # noqa: T201
        assert office.exits == [], office.talk()[-2000:]
        assert not row.wrong, f"{row.name}: " + "\n".join(row.wrong)


def aside(does: Callable[[], object]) -> Callable[[], Awaitable[object]]:
    """Something that blocks, beside the loop."""
    return lambda: asyncio.to_thread(does)


@asynccontextmanager
async def store_in(folder: Path, fsync: str = "always") -> AsyncIterator[tuple[OwnServer, Cable]]:
    """A store of one's own, and the cable to it."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    server = OwnServer(folder, fsync)
    server.start()
    try:
        async with open_cable(server.url, random.Random(SEED)) as cable:
            yield server, cable
    finally:
        server.kill()


@asynccontextmanager
async def office_at(
    tmp_path: Path, *, redis_url: str | None = None, slack: bool = True, only: str = ""
) -> AsyncIterator[Office]:
    """The product, with a store of its own where no address is given."""
    async with open_office(
        tmp_path / "home", free_port(), redis_url=redis_url, seed=SEED, slack=slack, only=only
    ) as office:
        yield office


# ── the store ────────────────────────────────────────────────────────────────────────────────────


async def test_a_store_of_ones_own(tmp_path: Path, table: list[Row]) -> None:
    """Killed and started again, stopped for half a minute, full, slow: one process outlives it all."""
    async with (
        store_in(tmp_path / "store") as (server, cable),
        office_at(tmp_path, redis_url=f"redis://127.0.0.1:{cable.port}") as office,
    ):
        others: list[asyncio.Task[None]] = []

        async def fill() -> None:
            await asyncio.to_thread(server.fill)
            others.append(asyncio.create_task(kept_full(server)))

        async def make_room() -> None:
            others.pop().cancel()
            await asyncio.to_thread(server.make_room)

        await through(
            office,
            table,
            Scenario("store: killed, started again", aside(server.kill), aside(server.start), (SILENT,)),
            Scenario(
                "store: stopped for 30 s",
                aside(lambda: server.send(signal.SIGSTOP)),
                aside(lambda: server.send(signal.SIGCONT)),
                (SILENT,),
            ),
            Scenario(
                "store: memory full",
                fill,
                make_room,
                # To the last byte, or to the last but a few: one word or the other, as writes come and go.
                ("the store's memory is",),
                lasts_s=25,
            ),
            Scenario(
                "store: slow, 0.5 to 2 s an answer",
                lambda: cable.become(Whole(slow_s=(0.5, 2.0))),
                lambda: cable.become(Whole()),
                ("the store is slow",),
                lasts_s=25,
            ),
        )


async def test_a_full_disk_that_the_store_survives(tmp_path: Path, table: list[Row]) -> None:
    """With `appendfsync everysec` the server refuses writes, until there is room."""
    with small_disk(tmp_path / "disk") as disk:
        async with (
            store_in(disk.folder, "everysec") as (server, _),
            office_at(tmp_path, redis_url=server.url) as office,
        ):
            full = Scenario(
                "store: disk full (everysec)",
                aside(disk.fill),
                aside(disk.make_room),
                ("the store's disk is full",),
                lasts_s=25,
            )
            await through(office, table, full)


async def test_a_full_disk_that_ends_the_store(tmp_path: Path, table: list[Row]) -> None:
    """With `appendfsync always` the server ends rather than lie; its supervisor starts it over and over."""
    with small_disk(tmp_path / "disk") as disk:
        async with (
            store_in(disk.folder) as (server, _),
            office_at(tmp_path, redis_url=server.url) as office,
        ):
            keeping = asyncio.create_task(kept_alive(server))
            full = Scenario(
                "store: disk full (always)",
                aside(disk.fill),
                aside(disk.make_room),
                (SILENT,),
                lasts_s=25,
            )
            try:
                await through(office, table, full)
            finally:
                keeping.cancel()


async def test_the_embedded_store(tmp_path: Path, table: list[Row]) -> None:
    """Its server does not come back by itself: Heard ends with one sentence, and goes on once started."""
    async with office_at(tmp_path) as office:
        row = Row("embedded store: killed three times")
        table.append(row)
        keeping = asyncio.create_task(office.kept_alive())
        async with office.busy():
            for time in (1, 2, 3):
                os.kill(_server_in(office.home / "store"), signal.SIGKILL)
                await until(partial(_ended, office, time), "Heard ended", within_s=15)
                assert office.talk().count("heard: the embedded store ended") == time, office.talk()[-2000:]
                row.said = ["the embedded store ended"]
                back = await office.normal_again()
                row.back_s = max(row.back_s or 0.0, back or 999.0)
        keeping.cancel()
        row.rest_s = await office.rest()
        row.counted = await office.counted()
        row.load = os.getloadavg()[0]
        print(f"\n{HEAD}\n{row.line()}")  # noqa: T201
        assert office.exits == [1, 1, 1]
        assert row.back_s is not None
        assert row.back_s < BAR_S
        counted = row.counted
        assert (counted.lost, counted.unanswered, counted.double, counted.cards_double) == (0, 0, 0, 0)
        assert counted.alarms_double == 0


def _ended(office: Office, times: int) -> bool:
    return len(office.exits) == times


def _server_in(folder: Path) -> int:
    return next(int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit() and _runs(one, folder))


def _runs(process: Path, folder: Path) -> bool:
    try:
        # Its watch is a shell with the same words on its command line.
        name = (process / "comm").read_text().strip()
        return name not in ("sh", "dash") and (process / "cwd").resolve() == folder
    except OSError:
        return False


# ── the platforms ────────────────────────────────────────────────────────────────────────────────


def both(office: Office, fate: Fate) -> Callable[[], Awaitable[object]]:
    """Every platform behaves so at once."""
    cables = [office.cables[name] for name in office.worlds]
    return lambda: asyncio.gather(*(cable.become(fate) for cable in cables))


async def test_the_platforms(tmp_path: Path, table: list[Row]) -> None:
    """Silent, gone, in storms of 503 and of 429: what is decided waits, and goes out once."""
    async with (
        store_in(tmp_path / "store") as (server, _),
        office_at(tmp_path, redis_url=server.url, slack=False) as office,
    ):
        well = both(office, Whole())
        pause = (("Retry-After", "5"),)
        await through(
            office,
            table,
            Scenario(
                "platform: silent",
                both(office, Silent()),
                well,
                ("Mastodon does not answer", "Jetstream does not answer"),
                doctor_words=("Mastodon does not answer", "Bluesky does not answer"),
                lasts_s=45,
                ask_after_s=40,
            ),
            Scenario(
                "platform: connection refused",
                both(office, Refused()),
                well,
                ("Mastodon cannot be reached", "Jetstream cannot be reached"),
                doctor_words=("Mastodon cannot be reached", "Bluesky cannot be reached"),
                lasts_s=30,
            ),
            Scenario(
                "platform: storm of 503",
                both(office, Answering(503, arrives=0.5)),
                well,
                ("Mastodon answers with errors (503)", "Jetstream answers with errors (503)"),
                doctor_words=("Mastodon answers with errors (503)", "Bluesky answers with errors (503)"),
                lasts_s=30,
            ),
            Scenario(
                "platform: storm of 429, says 5 s",
                both(office, Answering(429, headers=pause)),
                well,
                ("Mastodon asks for a pause", "Jetstream asks for a pause"),
                doctor_words=("Mastodon asks for a pause", "Bluesky asks for a pause"),
                lasts_s=20,
            ),
            Scenario(
                "platform: storm of 429, says nothing",
                both(office, Answering(429)),
                well,
                ("Mastodon asks for a pause", "Jetstream asks for a pause"),
                doctor_words=("Mastodon asks for a pause", "Bluesky asks for a pause"),
                lasts_s=20,
            ),
        )


async def test_revoked_tokens(tmp_path: Path, table: list[Row], monkeypatch: pytest.MonkeyPatch) -> None:
    """Both logins stop working; with new ones in the environment and a restart all goes on."""
    async with (
        store_in(tmp_path / "store") as (server, _),
        office_at(tmp_path, redis_url=server.url, slack=False) as office,
    ):

        async def revoke() -> None:
            monkeypatch.setattr(mastodon_server, "TOKEN", "a-fresh-token")
            monkeypatch.setattr(bluesky_server, "PASSWORD", "aaaa-bbbb-cccc-dddd")
            office.forget_logins()
            # A stream that is open already is ended by nobody for a token's sake.
            for name in office.worlds:
                await office.cables[name].cut()

        async def renew() -> None:
            await office.end()
            office.environment["HEARD_MASTODON__ACCESS_TOKEN"] = "a-fresh-token"
            office.environment["HEARD_BLUESKY__APP_PASSWORD"] = "aaaa-bbbb-cccc-dddd"
            await office.start()

        refused = ("Mastodon refuses the login", "Bluesky refuses the login")
        scenario = Scenario("platform: tokens revoked", revoke, renew, refused, lasts_s=30, ask_after_s=15)
        await through(office, table, scenario)


# ── Slack ────────────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def slack_office(tmp_path: Path) -> AsyncIterator[tuple[Office, Cable]]:
    """The product with Slack, and the cable to Slack."""
    async with (
        store_in(tmp_path / "store") as (server, _),
        office_at(tmp_path, redis_url=server.url, only="bluesky") as office,
    ):
        yield office, office.cables["slack"]


STORMS: dict[str, tuple[Fate, str]] = {
    "silent": (Silent(), "Slack does not answer"),
    "storm of 503": (Answering(503, body="upstream", arrives=0.5), "Slack answers with errors (503)"),
    "storm of 429": (
        Answering(429, body='{"ok": false, "error": "ratelimited"}', headers=(("Retry-After", "5"),)),
        "Slack asks",
    ),
}


@pytest.mark.parametrize("storm", STORMS)
async def test_slack(tmp_path: Path, table: list[Row], storm: str) -> None:
    """Cards wait and come once; customers are answered throughout, by way of the web desk."""
    fate, words = STORMS[storm]
    async with slack_office(tmp_path) as (office, cable):
        scenario = Scenario(
            f"Slack: {storm}",
            lambda: cable.become(fate),
            lambda: cable.become(Whole()),
            (words,),
            proof=office.card_again,
            every_s=4.0,
            alone=2,
            goes_on=True,
            lasts_s=25,
            ask_after_s=18 if storm == "silent" else 8,
        )
        await through(office, table, scenario)


async def test_slack_whose_token_is_revoked(tmp_path: Path, table: list[Row]) -> None:
    """Until it is given back, cards wait; customers are answered throughout."""
    async with slack_office(tmp_path) as (office, _):
        slack = office.slack
        assert slack is not None
        scenario = Scenario(
            "Slack: token revoked",
            aside(slack.revoke),
            aside(lambda: slack.revoke(trouble="")),
            ("token was revoked",),
            proof=office.card_again,
            every_s=4.0,
            alone=2,
            goes_on=True,
            lasts_s=25,
            ask_after_s=15,
        )
        await through(office, table, scenario)


async def test_slack_whose_socket_closes_over_and_over(tmp_path: Path, table: list[Row]) -> None:
    """Every second for 20 s; cards come all the same, and clicks right after."""
    async with slack_office(tmp_path) as (office, cable):
        cutting: list[asyncio.Task[None]] = []

        async def cut() -> None:
            while True:
                await cable.cut()
                await asyncio.sleep(1.0)

        async def begin() -> None:
            cutting.append(asyncio.create_task(cut()))

        async def end() -> None:
            cutting[0].cancel()

        scenario = Scenario(
            "Slack: its socket closes each second",
            begin,
            end,
            (),
            proof=office.click_again,
            every_s=4.0,
            alone=2,
            goes_on=True,
            lasts_s=20,
            doctor=False,
        )
        await through(office, table, scenario)
