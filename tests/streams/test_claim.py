"""The claim to send: one process at a time, and the next one only when that one is dead."""

import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from streams.claim import Claimed, SenderClaim
from streams.connection import Store

ROOT = Path(__file__).parents[2]
HOLD = """
import asyncio, sys
from pathlib import Path
from streams.claim import SenderClaim
from streams.connection import open_store

async def hold():
    async with open_store(sys.argv[1], Path()) as store:
        claim = SenderClaim(store)
        await claim.take()
        print("taken", flush=True)
        await asyncio.sleep(600)

asyncio.run(hold())
"""


@asynccontextmanager
async def a_claim(store: Store) -> AsyncIterator[SenderClaim]:
    """A claim that is given up in the end."""
    claim = SenderClaim(store)
    try:
        yield claim
    finally:
        await claim.close()


async def test_a_second_sender_is_refused_and_told_who_sends(store: Store) -> None:
    """Whatever machine it is on: what they share is the store."""
    async with a_claim(store) as first, a_claim(store) as second:
        await first.take()
        with pytest.raises(Claimed, match="sends already: end that one first"):
            await second.take()

        assert await first.held_by_another() is None
        assert "process" in str(await second.held_by_another())


async def test_a_claim_that_was_given_up_is_free(store: Store) -> None:
    """At once."""
    async with a_claim(store) as first:
        await first.take()
    async with a_claim(store) as second:
        await second.take()


async def test_a_lost_connection_is_a_lost_claim_until_it_is_taken_anew(store: Store) -> None:
    """By whoever comes first; the other one knows it at the next question."""
    async with a_claim(store) as first, a_claim(store) as second:
        await first.take()
        await store.writes.client_kill_filter(skipme=True)
        await second.take()

        assert "process" in str(await first.held_by_another())
    async with a_claim(store) as third:
        await third.take()
        await store.writes.client_kill_filter(skipme=True)
        assert await third.held_by_another() is None


async def test_a_process_that_is_stopped_keeps_its_claim_and_a_killed_one_loses_it(store: Store) -> None:
    """The kernel holds the connection of a stopped process open, and closes a dead one's."""
    holder = subprocess.Popen(  # noqa: ASYNC220 (it takes no time)
        [sys.executable, "-c", HOLD, store.url], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "taken\n"
        holder.send_signal(signal.SIGSTOP)
        async with a_claim(store) as claim:
            with pytest.raises(Claimed, match=str(holder.pid)):
                await claim.take()
            holder.kill()
            holder.wait()
            await claim.take()
    finally:
        holder.kill()
        holder.wait()
        assert holder.stdout is not None
        holder.stdout.close()
