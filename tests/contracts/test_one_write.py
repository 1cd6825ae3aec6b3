"""One write is one command at the store, whatever becomes of its answer; and its loss is one we know.

redis-py by itself sends a write again until an answer comes: eleven times.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from streams.case_store import CaseStore
from streams.connection import LOST, Store, open_store
from tests.fakes.due import opening
from tests.fakes.store_gate import StoreFate, StoreGate, open_store_gate

STREAM = "{p1}:one-write"
TOO_LATE_S = 0.4
NEVER_DONE = (StoreFate.UNHEARD,)


@pytest.fixture
async def gate(store: Store) -> AsyncIterator[StoreGate]:
    """The gate, before an empty store."""
    async with open_store_gate(store.url) as opened:
        yield opened


@pytest.fixture
async def behind_the_gate(gate: StoreGate, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    """A store as `config` opens it: only its address is the gate's, and its patience a test's."""
    monkeypatch.setattr("streams.connection.WRITE_TIMEOUT_S", TOO_LATE_S)
    monkeypatch.setattr("streams.connection.READ_TIMEOUT_S", TOO_LATE_S)
    async with open_store(gate.url, Path()) as opened:
        # A connection that is kept and has worked, as in use.
        await opened.writes.ping()
        gate.commands.clear()
        yield opened
        gate.fates.clear()


async def pipelined(store: Store, *, transaction: bool) -> None:
    async with store.writes.pipeline(transaction=transaction) as pipe:
        pipe.xadd(STREAM, {"number": "1"})
        pipe.incr("{p1}:counted")
        await pipe.execute()


Write = Callable[[Store], Awaitable[Any]]
WRITES: Mapping[str, tuple[str, Write]] = {
    "xadd": ("XADD", lambda store: store.writes.xadd(STREAM, {"number": "1"})),
    "incr": ("INCRBY", lambda store: store.writes.incr("{p1}:counted")),
    "a pipeline": ("XADD", lambda store: pipelined(store, transaction=False)),
    "a transaction": ("EXEC", lambda store: pipelined(store, transaction=True)),
    "the one door": ("FCALL", lambda store: CaseStore(store).save(opening(1, "maya"))),
    # What it hands over is then this consumer's: a read that changes who has what.
    "a read for a group": (
        "XREADGROUP",
        lambda store: store.reads.xreadgroup("group", "one", {STREAM: ">"}, count=1),
    ),
}


@pytest.mark.parametrize("fate", StoreFate)
@pytest.mark.parametrize("kind", WRITES)
async def test_a_write_without_an_answer_arrives_once_and_is_lost(
    store: Store, gate: StoreGate, behind_the_gate: Store, kind: str, fate: StoreFate
) -> None:
    """The caller hears that nobody knows, and looks."""
    command, write = WRITES[kind]
    if command == "XREADGROUP":
        for number in range(3):
            await store.writes.xadd(STREAM, {"number": str(number)})
        await store.writes.xgroup_create(STREAM, "group", "0")
    gate.fates[command] = fate
    with pytest.raises(LOST):
        await write(behind_the_gate)

    assert gate.count(command) == 1


@pytest.mark.parametrize("fate", StoreFate)
async def test_what_is_written_is_there_once_or_not_at_all(
    store: Store, gate: StoreGate, behind_the_gate: Store, fate: StoreFate
) -> None:
    """And the connection after it works: nothing of the lost answer is taken for another's."""
    gate.fates["XADD"] = fate
    with pytest.raises(LOST):
        await behind_the_gate.writes.xadd(STREAM, {"number": "1"})
    gate.fates.clear()

    assert await behind_the_gate.writes.xlen(STREAM) == (0 if fate in NEVER_DONE else 1)
    assert await store.writes.xlen(STREAM) == (0 if fate in NEVER_DONE else 1)
    assert await behind_the_gate.writes.incr("{p1}:counted") == 1


async def test_what_is_let_through_is_done_and_answered(gate: StoreGate, behind_the_gate: Store) -> None:
    """The gate itself changes nothing."""
    for kind, (command, write) in WRITES.items():
        if command != "XREADGROUP":
            await write(behind_the_gate)
            assert gate.count(command) >= 1, kind
    assert await behind_the_gate.writes.xlen(STREAM) == 3


# ── the same gate before the bare library ────────────────────────────────────────────────────────

LOSSES = (StoreFate.UNHEARD, StoreFate.LOST, StoreFate.RESET, StoreFate.CUT)


async def at_once(_: float) -> None:
    """What redis-py would sleep between its attempts."""


async def counted(gate: StoreGate, bare: Redis) -> dict[StoreFate, int]:
    """How often one `xadd` of a bare client arrives, by what becomes of it."""
    counts = dict[StoreFate, int]()
    for fate in LOSSES:
        gate.commands.clear()
        gate.fates["XADD"] = fate
        with pytest.raises(LOST):
            await bare.xadd(STREAM, {"number": "1"})
        counts[fate] = gate.count("XADD")
    await bare.aclose()
    return counts


async def test_bare_redis_py_writes_eleven_times(
    store: Store, gate: StoreGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """redis-py 8.1.0, as it comes: the check can fail, and the client without retries is needed."""
    monkeypatch.setattr("redis.asyncio.retry.sleep", at_once)
    bare = Redis(host="127.0.0.1", port=int(gate.url.rpartition(":")[2]))

    assert await counted(gate, bare) == dict.fromkeys(LOSSES, 11)
    assert await store.writes.xlen(STREAM) == 33


async def test_bare_redis_py_writes_once_where_it_is_given_a_url(gate: StoreGate) -> None:
    """redis-py 8.1.0: its retries are a default of the constructor that `from_url` passes by.

    Nothing promises that, so Heard's clients say themselves that they want none.
    """
    assert await counted(gate, Redis.from_url(gate.url)) == dict.fromkeys(LOSSES, 1)
