"""Why the store is away, in words that a manager understands."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import exceptions

from streams import away
from streams.connection import Store, open_store
from streams.embedded import server_binary
from streams.errors import NotCopied
from tests.conftest import start_server

CAUSED = exceptions.ConnectionError("refused")
CAUSED.__cause__ = exceptions.AuthenticationError("WRONGPASS")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (exceptions.ConnectionError("Error 111 connecting to 127.0.0.1:6379."), "the store does not answer"),
        (exceptions.TimeoutError("Timeout reading from 127.0.0.1:6379"), "the store does not answer"),
        (OSError(104, "Connection reset by peer"), "the store does not answer"),
        (AttributeError("'NoneType' object has no attribute 'write'"), "the store does not answer"),
        (
            exceptions.OutOfMemoryError("OOM command not allowed"),
            "the store's memory is full",
        ),
        (
            exceptions.ResponseError("MISCONF Errors writing to the AOF file: No space left on device"),
            "the store's disk is full",
        ),
        (
            exceptions.ResponseError("MISCONF Errors writing: I/O error"),
            "cannot write to its disk",
        ),
        (exceptions.BusyLoadingError("Redis is loading the dataset in memory"), "the store is starting"),
        (
            exceptions.ReadOnlyError("READONLY"),
            "a copy that takes no writes",
        ),
        (NotCopied("written, and on 0 of 1 replicas"), "the store's replica does not answer"),
        (CAUSED, "the store refuses this password"),
        (exceptions.ResponseError("NOPERM"), "the store refuses what Heard needs: NOPERM"),
    ],
)
def test_each_error_has_its_words(error: Exception, words: str) -> None:
    """And what mends it."""
    assert words in away.why(error).words
    assert away.why(error).fix


@pytest.fixture
def small(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A server that the test may fill up."""
    server, url = start_server(str(server_binary()), tmp_path)
    yield server, url
    server.kill()
    server.wait()


async def test_a_store_that_is_well_has_no_trouble(store: Store) -> None:
    """It takes a write."""
    assert await store.trouble() is None


async def test_a_full_store_says_so_until_there_is_room(small: tuple[object, str]) -> None:
    """Its memory's limit is lowered under what it holds, and raised again."""
    async with open_store(small[1], Path()) as store:
        await store.writes.config_set("maxmemory", "1mb")
        assert await store.trouble() == away.MEMORY_FULL
        await store.writes.config_set("maxmemory", "0")
        assert await store.trouble() is None
