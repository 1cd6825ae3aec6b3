"""A brand goes live on Bluesky: with nothing but its name it hears; with an account it answers."""

import asyncio
import json
import os
import sys
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from casework.clock import ManualClock, SystemClock
from tests.contracts.worlds.bluesky import BlueskyWorld, open_world
from tests.fakes.bluesky_server import BRAND, PASSWORD, handle_of

ROOT = Path(__file__).parents[2]
TOKEN = "a-token-of-the-tests"
PATIENCE_S = 60.0

pytestmark = pytest.mark.timeout(180)


@dataclass
class Running:
    """A `heard up` of its own process, seen through its API."""

    process: asyncio.subprocess.Process
    port: int

    async def api(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """What the API answers; None while it does not."""
        return await asyncio.to_thread(self._ask, path, body)

    def _ask(self, path: str, body: dict[str, Any] | None) -> Any:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=data, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 (our own address)
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            said = error.read().decode()
            error.close()
            raise AssertionError(f"{path}: {error.code} {said}") from None
        except OSError:
            return None

    async def until(self, path: str, so: Any, what: str) -> Any:
        """The first answer that is as wanted."""
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while True:
            answer = await self.api(path)
            if answer is not None and so(answer):
                return answer
            assert self.process.returncode is None, "heard up ended"
            assert asyncio.get_running_loop().time() < deadline, f"waited in vain: {what}: {answer}"
            await asyncio.sleep(0.1)


@asynccontextmanager
async def heard_up(home: Path, world: BlueskyWorld, port: int, *, account: bool) -> AsyncIterator[Running]:
    """`heard init` and `heard up`, as a newcomer would, with Bluesky where the world is."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("HEARD_", "REDIS_"))}
    environment |= {"HEARD_HOME": str(home), "HEARD_DESK__TOKEN": TOKEN, "PYTHONPATH": str(ROOT)}
    environment |= {
        "HEARD_BLUESKY__SERVICE_URL": world.server.url,
        "HEARD_BLUESKY__APPVIEW_URL": world.server.url,
        "HEARD_BLUESKY__JETSTREAM_URL": world.server.url.replace("http", "ws", 1) + "/subscribe",
    }
    if account:
        environment |= {
            "HEARD_BLUESKY__HANDLE": handle_of(BRAND),
            "HEARD_BLUESKY__APP_PASSWORD": PASSWORD,
        }
    command = (sys.executable, "-m", "config.cli")
    wrote = await asyncio.create_subprocess_exec(
        *command, "init", "--brand", "Aurora Air", env=environment, cwd=home.parent
    )
    assert await wrote.wait() == 0
    process = await asyncio.create_subprocess_exec(
        *command,
        "up",
        "--desk",
        f"127.0.0.1:{port}",
        env=environment,
        cwd=home.parent,
        stderr=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    running = Running(process, port)
    try:
        await running.until("/readyz", lambda _: world.connects > 0, "it listens")
        yield running
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def live(tmp_path: Path, port: int, *, account: bool) -> AsyncIterator[tuple[BlueskyWorld, Running]]:
    """A Bluesky with people on it, and Heard beside it."""
    async with (
        open_world(ManualClock(SystemClock().now())) as world,
        heard_up(tmp_path / "home", world, port, account=account) as running,
    ):
        yield world, running


async def test_a_brand_with_nothing_but_its_name_hears_the_world(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    """Maya writes about Aurora Air to nobody in particular; a minute later she takes it back."""
    async with live(tmp_path, unused_tcp_port, account=False) as (world, running):
        post = world.says("Aurora Air lost my bag and nobody answers!", addressed=False)
        world.says("What an aurora tonight", addressed=False)
        found = await running.until("/api/v1/cases", lambda a: a["cases"], "the case")
        (case,) = found["cases"]
        shown = await running.until(
            f"/api/v1/cases/{case['id']}", lambda a: a["status"] in ("held", "drafted"), "a judgement"
        )
        assert "lost my bag" in json.dumps(shown)
        assert "account" in shown["permission"]["why"] or shown["permission"]["rule"] == "B1"
        world.deletes(post)
        await running.until(
            f"/api/v1/cases/{case['id']}", lambda a: "lost my bag" not in json.dumps(a), "the deletion"
        )


async def test_a_reply_that_nina_approves_is_on_bluesky_once(tmp_path: Path, unused_tcp_port: int) -> None:
    """Maya tags the brand; Nina writes the answer and approves it; Maya reads it under her post."""
    async with live(tmp_path, unused_tcp_port, account=True) as (world, running):
        post = world.says("my bag is lost, please help")
        found = await running.until("/api/v1/cases", lambda a: a["cases"], "the case")
        case_id = found["cases"][0]["id"]
        waiting = await running.until(
            f"/api/v1/cases/{case_id}", lambda a: a["status"] in ("held", "drafted"), "a judgement"
        )
        words = f"Hi Maya, sorry! We are looking for it now. ({case_id})"
        edited = await running.api(
            f"/api/v1/cases/{case_id}/edit",
            {"version": waiting["version"], "by": "Nina", "text": words},
        )
        await running.api(
            f"/api/v1/cases/{case_id}/approve",
            {
                "version": edited["version"],
                "by": "Nina",
                "draft_sha256": edited["draft"]["sha256"],
            },
        )
        answered = await running.until(
            f"/api/v1/cases/{case_id}", lambda a: a["status"] == "answered", "the answer"
        )

        assert [(seen.in_reply_to, seen.text) for seen in world.published()] == [(post, words)]
        assert answered["replies"][0]["id"] == world.published()[0].id
