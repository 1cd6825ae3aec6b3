"""The desk in a real browser: served on the loopback, opened in Chromium, closed after each test."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from casework.clock import ManualClock
from streams.case_store import CaseStore
from tests.webdesk.desks import a_desk
from webdesk.app import serve
from webdesk.desk import Preview
from webdesk.security import Sessions

CHROMIUM = Path("/usr/bin/chromium")
INSTALLED = CHROMIUM.exists()
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
)


@dataclass(frozen=True)
class Served:
    """A running desk and how to get in."""

    address: str
    host: str
    invite: Callable[[], str]


@pytest.fixture
def preview() -> Preview | None:
    """What the preview page shows: there is none, except where a test has one."""
    return None


@pytest.fixture
async def served(
    cases: CaseStore, clock: ManualClock, preview: Preview | None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Served]:
    """The desk on a port of its own, its clock running at the browser's speed from noon."""
    made: list[Sessions] = []
    begin = Sessions.__init__

    def remembered(sessions: Sessions, login_token: str) -> None:
        begin(sessions, login_token)
        made.append(sessions)

    monkeypatch.setattr(Sessions, "__init__", remembered)
    listener = socket.create_server(("127.0.0.1", 0))
    host = f"127.0.0.1:{listener.getsockname()[1]}"
    desk = a_desk(cases, clock, hosts=frozenset({host}), speed=1.0, preview=preview)
    started = asyncio.Event()
    running = asyncio.create_task(serve(desk, sockets=[listener], started=started))
    await started.wait()
    yield Served(f"http://{host}", host, lambda: made[0].invite())
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    """The browser."""
    if not INSTALLED:
        pytest.skip("no /usr/bin/chromium: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        await browser.close()


Enter = Callable[..., Awaitable[Page]]


@pytest.fixture
def enter(chromium: Browser, served: Served) -> Enter:
    """Sign somebody in, in a browser profile of their own, and open a page."""

    async def signed_in(name: str = "Nina", path: str = "/", **options: object) -> Page:
        context = await chromium.new_context(base_url=served.address, **options)  # type: ignore[arg-type]
        page = await context.new_page()
        await page.goto(f"/login?token={served.invite()}")
        await page.get_by_label("Your name").fill(name)
        await page.get_by_role("button", name="Go to the queue").click()
        await expect(page.get_by_role("heading", name="Queue", level=1)).to_be_visible()
        if path != "/":
            await page.goto(path)
        await live(page)
        return page

    return signed_in


async def live(page: Page) -> None:
    """Wait until the page hears the server."""
    await expect(page.locator("#live")).to_have_attribute("data-state", "on")


async def another_tab(context: BrowserContext, path: str) -> Page:
    """A second tab of the same browser."""
    page = await context.new_page()
    await page.goto(path)
    await live(page)
    return page
