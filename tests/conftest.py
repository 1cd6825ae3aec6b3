"""Servers and stores for every test: real ones, emptied between tests."""

import logging
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from casework.clock import ManualClock
from streams import embedded
from streams.case_store import CaseStore
from streams.connection import Store, open_store

NOON = datetime(2026, 11, 3, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """A command that sets up logs does so for the process: the next test finds them as they were."""
    root = logging.getLogger()
    level, handlers = root.level, [*root.handlers]
    yield
    for handler in [*root.handlers]:
        if handler not in handlers and getattr(handler, "heard", False):
            root.removeHandler(handler)
            handler.close()
    root.setLevel(level)
    if structlog.is_configured():
        structlog.reset_defaults()


@pytest.fixture(scope="session")
def embedded_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The embedded server, one for all tests."""
    server = embedded.start(tmp_path_factory.mktemp("store"))
    yield server.url
    server.close()


@asynccontextmanager
async def emptied(url: str) -> AsyncIterator[Store]:
    """The store at an address, with nothing in it."""
    async with open_store(url, Path()) as used:
        await used.writes.flushall()
    async with open_store(url, Path()) as opened:
        yield opened


@pytest.fixture
async def store(embedded_url: str) -> AsyncIterator[Store]:
    """An empty store."""
    async with emptied(embedded_url) as opened:
        yield opened


@pytest.fixture
def cases(store: Store) -> CaseStore:
    """The cases of an empty store."""
    return CaseStore(store)


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at noon."""
    return ManualClock(NOON)


def start_server(binary: str, folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Another server on a unix socket, for tests of the common subset."""
    socket_path = folder / "other.sock"
    options = ["--port", "0", "--unixsocket", str(socket_path), "--dir", str(folder), "--save", ""]
    server = subprocess.Popen([binary, *options], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 10
    while not embedded._answers(socket_path):
        assert time.monotonic() < deadline, f"{binary} did not start"
        time.sleep(0.01)
    return server, f"unix://{socket_path}"
