"""What the doctor and the desk say of a store that is away, full or slow: in words, and soon."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from redis.exceptions import ResponseError

from config import doctor
from config.checks import Check
from config.doctor import for_store_and_paths
from streams.connection import Store, open_store
from streams.paths import PathReport, PathReports
from tests.fakes.cases import NOON
from tests.fakes.store_gate import StoreFate, open_store_gate

A_MINUTE = timedelta(minutes=1)


def bad(checks: list[Check]) -> list[tuple[str, str]]:
    """What is a problem, in words."""
    return [(check.name, check.words) for check in checks if check.state == "bad"]


async def report(store: Store, *, minutes_ago: int) -> None:
    """A path said how it stands, so long ago."""
    at = NOON - minutes_ago * A_MINUTE
    await PathReports(store).put([PathReport("x/mentions", True, "looks regularly", at, at)])


async def test_a_store_that_is_well_says_how_it_stands(store: Store) -> None:
    """And so do the paths."""
    await report(store, minutes_ago=0)
    checks = await for_store_and_paths(store, NOON)

    assert bad(checks) == []
    assert [check.name for check in checks] == ["store", "x/mentions"]


async def test_a_store_that_is_gone_is_one_line(embedded_url: str) -> None:
    """Every command finds its connection closed."""
    async with open_store_gate(embedded_url) as gate, open_store(gate.url, Path()) as store:
        gate.fates["*"] = StoreFate.UNHEARD
        checks = await for_store_and_paths(store, NOON)

        assert bad(checks) == [("store", "the store does not answer")]
        assert len(checks) == 1

        gate.fates.clear()
        assert bad(await for_store_and_paths(store, NOON)) == []


async def test_a_silent_store_keeps_nobody_waiting(
    embedded_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes every command, and nothing comes back."""
    monkeypatch.setattr(doctor, "STORE_PATIENCE_S", 0.1)
    async with open_store_gate(embedded_url) as gate, open_store(gate.url, Path()) as store:
        gate.fates["*"] = StoreFate.SILENT
        async with asyncio.timeout(5):
            checks = await for_store_and_paths(store, NOON)

    assert bad(checks) == [("store", "the store does not answer")]


async def test_a_full_store_is_a_problem_and_no_path_is_blamed_for_it(store: Store) -> None:
    """What paths say cannot be written there: their silence is the store's."""
    await report(store, minutes_ago=5)
    stale = await for_store_and_paths(store, NOON)
    assert [check.words[:14] for check in stale if check.name == "x/mentions"] == ["nobody listens"]
    await store.writes.config_set("maxmemory", "1mb")
    try:
        checks = await for_store_and_paths(store, NOON)
    finally:
        await store.writes.config_set("maxmemory", "0")

    assert bad(checks) == [("store", "the store's memory is full, so nothing can be written")]
    assert not [check for check in checks if check.name == "x/mentions"]


async def test_a_store_that_is_nearly_full_is_a_note(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it is a problem; here a quarter is nearly all, as what a server uses goes up and down."""
    monkeypatch.setattr(doctor, "NEARLY_FULL", 0.1)
    used = int((await store.writes.info("memory"))["used_memory"])
    await store.writes.config_set("maxmemory", 4 * used)
    try:
        checks = await for_store_and_paths(store, NOON)
    finally:
        await store.writes.config_set("maxmemory", "0")

    assert any(c.state == "warn" and "memory is nearly full" in c.words for c in checks)
    assert bad(checks) == []


async def test_a_slow_store_is_a_note(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slower than a person would wait for."""
    monkeypatch.setattr(doctor, "SLOW_S", 0.0)
    checks = await for_store_and_paths(store, NOON)

    assert any(c.state == "warn" and c.words.startswith("the store is slow: an answer took") for c in checks)


@pytest.mark.parametrize(
    ("setting", "value", "state", "words"),
    [
        ("appendfsync", "everysec", "warn", "a power cut may cost the last writes: appendfsync is everysec"),
        ("appendonly", "no", "warn", "writes may be lost in a power cut: no append-only file"),
        (
            "maxmemory-policy",
            "allkeys-lru",
            "bad",
            "the server throws cases away when its memory is full: maxmemory-policy is allkeys-lru",
        ),
    ],
)
async def test_settings_of_a_server_that_may_lose_something_are_said(
    tmp_path: Path, setting: str, value: str, state: str, words: str
) -> None:
    """On a server of one's own they are whatever somebody wrote there; the right ones are said nothing of."""
    async with open_store(None, tmp_path / "s") as store:
        assert [check.state for check in await for_store_and_paths(store, NOON)] == ["ok"]
        await store.writes.config_set(setting, value)
        found = await for_store_and_paths(store, NOON)

    assert [(check.state, check.words) for check in found[1:]] == [(state, words)]


async def test_a_server_that_tells_no_settings_is_not_doubted(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hosted ones refuse CONFIG."""

    async def refused(*_: object) -> None:
        raise ResponseError("unknown command 'CONFIG'")

    monkeypatch.setattr(store.writes, "config_get", refused)

    assert [check.state for check in await for_store_and_paths(store, NOON)] == ["ok"]
