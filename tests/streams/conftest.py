"""The contract of the store is checked on every server at hand (Valkey 9, 8, Redis 7.0) and on our fake."""

import shutil
from collections.abc import AsyncIterator, Iterator

import pytest

from streams.connection import Store
from tests.conftest import emptied, start_server
from tests.fakes.keyspace_client import new_keyspace, store_over

IN_THIS_PROCESS = "keyspace"
SERVERS = ("embedded", "redis-server", "valkey-server", IN_THIS_PROCESS)


@pytest.fixture(scope="session", params=SERVERS)
def server_url(
    request: pytest.FixtureRequest, embedded_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of each server at hand."""
    if request.param in ("embedded", IN_THIS_PROCESS):
        yield embedded_url if request.param == "embedded" else IN_THIS_PROCESS
        return
    binary = shutil.which(request.param)
    if binary is None:
        pytest.skip(f"no {request.param} on the PATH")
    server, url = start_server(binary, tmp_path_factory.mktemp(request.param))
    yield url
    server.kill()
    server.wait()


@pytest.fixture
async def store(server_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    """An empty store on each server."""
    if server_url == IN_THIS_PROCESS:
        if request.path.stem in ("test_connection", "test_claim"):
            pytest.skip("there is no connection to a store in this process")
        yield store_over(new_keyspace())
        return
    async with emptied(server_url) as opened:
        yield opened
