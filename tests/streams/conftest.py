"""The contract of the store is checked on every server at hand: Valkey 9, Valkey 8, Redis 7.0."""

import shutil
from collections.abc import AsyncIterator, Iterator

import pytest

from streams.connection import Store
from tests.conftest import emptied, start_server

SERVERS = ("embedded", "redis-server", "valkey-server")


@pytest.fixture(scope="session", params=SERVERS)
def server_url(
    request: pytest.FixtureRequest, embedded_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of each server at hand."""
    if request.param == "embedded":
        yield embedded_url
        return
    binary = shutil.which(request.param)
    if binary is None:
        pytest.skip(f"no {request.param} on the PATH")
    server, url = start_server(binary, tmp_path_factory.mktemp(request.param))
    yield url
    server.kill()
    server.wait()


@pytest.fixture
async def store(server_url: str) -> AsyncIterator[Store]:
    """An empty store on each server."""
    async with emptied(server_url) as opened:
        yield opened
