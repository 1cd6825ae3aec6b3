"""The desk while the store is away: it stays up, says what is wrong, and comes back by itself."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import cast

import pytest
from fastapi import FastAPI
from fastapi.sse import ServerSentEvent

from casework.clock import ManualClock
from streams.case_store import CaseStore
from streams.connection import Store, open_store
from streams.switch import PauseSwitch
from tests.conftest import emptied
from tests.fakes.store_gate import StoreFate, StoreGate, open_store_gate
from tests.webdesk.conftest import browser, sign_in
from tests.webdesk.desks import TOKEN, a_desk, put_draft
from webdesk.app import create_app
from webdesk.desk import HealthLine
from webdesk.views import Filters

BEARER = {"Authorization": f"Bearer {TOKEN}"}
PLAIN = "The store does not answer."


async def well() -> Sequence[HealthLine]:
    """Nothing is wrong but what the store is."""
    return [HealthLine("Slack", "ok", "2 of 2 connections listen")]


@pytest.fixture
async def gate(embedded_url: str) -> AsyncIterator[StoreGate]:
    """The way to an empty store."""
    async with emptied(embedded_url), open_store_gate(embedded_url) as opened:
        yield opened


@pytest.fixture
async def behind(gate: StoreGate) -> AsyncIterator[Store]:
    """The store, as it is reached through the gate."""
    async with open_store(gate.url, Path()) as store:
        yield store


@pytest.fixture
def app(behind: Store, clock: ManualClock) -> FastAPI:
    """A desk over it."""
    return create_app(a_desk(CaseStore(behind), clock, switch=PauseSwitch(behind), health=well))


def away(gate: StoreGate) -> None:
    """No command is answered any more."""
    gate.fates["*"] = StoreFate.UNHEARD


async def test_every_page_says_that_the_store_is_away_and_comes_back(
    app: FastAPI, gate: StoreGate, behind: Store
) -> None:
    """In words, under the person's own name; the browser asks again, and finds the queue."""
    case = await put_draft(CaseStore(behind))
    async with browser(app) as http:
        nina = await sign_in(http, "Nina")
        away(gate)
        for path in ("/", f"/cases/{case.id}", "/promises"):
            page = await nina.get(path)
            assert (page.status_code, PLAIN in page.text) == (503, True)
            assert page.headers["Refresh"] == "5"
            assert "Nina" in page.text
        gate.fates.clear()

        assert (await nina.get("/")).status_code == 200


async def test_a_press_that_was_not_saved_is_not_repeated_by_the_page(
    app: FastAPI, gate: StoreGate, behind: Store
) -> None:
    """It says so; what to do is the person's."""
    case = await put_draft(CaseStore(behind))
    async with browser(app) as http:
        nina = await sign_in(http, "Nina")
        away(gate)
        page = await nina.post(f"/cases/{case.id}/take", version=case.version)

    assert page.status_code == 503
    assert "What you did may not be saved" in page.text
    assert "Refresh" not in page.headers


async def test_the_health_page_is_there_all_the_same(app: FastAPI, gate: StoreGate) -> None:
    """What is known without the store is shown, and that the rest is not known."""
    async with browser(app) as http:
        nina = await sign_in(http, "Nina")
        away(gate)
        page = await nina.get("/health")

    assert page.status_code == 200
    assert "2 of 2 connections listen" in page.text
    assert "Not known" in page.text


async def test_an_open_page_is_let_go_and_comes_back_by_itself(app: FastAPI, gate: StoreGate) -> None:
    """Its stream ends; the browser opens another, which is answered once the store is there again."""

    def stream() -> AsyncIterator[ServerSentEvent]:
        return cast(
            AsyncIterator[ServerSentEvent],
            app.state.live.stream(you="Nina", filters=Filters(), after=None, draw=lambda _row: ""),
        )

    away(gate)
    assert [event async for event in stream()] == []
    gate.fates.clear()
    again = stream()
    assert (await anext(again)).event == "sync"
    await app.state.live.close()


async def test_programs_are_told_in_words(app: FastAPI, gate: StoreGate) -> None:
    """The probe and the API's health, at once; the API's cases with 503."""
    async with browser(app) as http:
        away(gate)
        ready = await http.get("/readyz")
        health = await http.get("/api/v1/health", headers=BEARER)
        cases = await http.get("/api/v1/cases", headers=BEARER)

    assert (ready.status_code, ready.json()["bad"]) == (503, ["store"])
    assert ready.json()["why"] == ["store: the store does not answer"]
    assert (health.status_code, health.json()["ok"], health.json()["paused"]) == (200, False, None)
    assert (cases.status_code, cases.json()["message"][: len(PLAIN)]) == (503, PLAIN)


async def test_a_full_store_is_called_full(app: FastAPI, behind: Store) -> None:
    """The queue can be read; a press is not saved, and the page says why."""
    case = await put_draft(CaseStore(behind))
    async with browser(app) as http:
        nina = await sign_in(http, "Nina")
        await behind.writes.config_set("maxmemory", "1mb")
        try:
            page = await nina.post(f"/cases/{case.id}/take", version=case.version)
            queue = await nina.get("/")
        finally:
            await behind.writes.config_set("maxmemory", "0")

    assert page.status_code == 503
    assert "The store&#39;s memory is full" in page.text
    assert queue.status_code == 200
