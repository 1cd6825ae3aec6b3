"""Which stores are refused, each in one sentence that says what to do."""

import asyncio
import os
import resource
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from streams.connection import HEADER, Store, open_store
from streams.embedded import server_binary
from streams.errors import StoreUnavailable, WrongStore
from tests.conftest import start_server
from tests.fakes.waiting import until


@pytest.fixture
async def raw(embedded_url: str) -> AsyncIterator[Redis]:
    """An empty server that holds no store yet."""
    client: Redis = Redis.from_url(embedded_url)
    await client.flushall()
    yield client
    await client.flushall()
    await client.aclose()


async def refused(url: str | None, folder: Path = Path(), *, insecure: bool = False) -> str:
    """The sentence that a store is refused with."""
    with pytest.raises((StoreUnavailable, WrongStore)) as found:
        async with open_store(url, folder, insecure=insecure):
            pass
    return str(found.value)


async def test_a_store_of_a_newer_heard_is_refused(raw: Redis, embedded_url: str) -> None:
    """By its format, whatever that is called then."""
    for newer in ("2", "17", "2-beta"):
        await raw.hset(HEADER, mapping={"format": newer, "partitions": "64"})
        assert f"made by a newer Heard (format {newer}" in await refused(embedded_url)


async def test_other_partitions_are_refused(raw: Redis, embedded_url: str) -> None:
    """Their number is fixed for the life of a store."""
    await raw.hset(HEADER, mapping={"format": "1", "partitions": "128"})
    assert await refused(embedded_url) == "this store has 128 partitions, this Heard 64"


async def test_somebody_elses_key_is_refused(raw: Redis, embedded_url: str) -> None:
    """A database of another program is not written into."""
    await raw.set(HEADER, "theirs")
    assert "refuses what Heard needs" in await refused(embedded_url)


async def test_an_old_server_is_refused(embedded_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By name of the oldest that will do."""

    async def old(*_: object, **__: object) -> dict[str, str]:
        return {"redis_version": "6.2.14"}

    monkeypatch.setattr(Redis, "info", old)
    said = await refused(embedded_url)
    assert said == "the store is version 6.2.14; Heard needs Redis 7.0 or Valkey 8 at least"


@pytest.mark.parametrize("url", ["redis://10.1.2.3:6379", "rediss://10.1.2.3", "redis://:secret@10.1.2.3"])
async def test_an_open_store_on_a_network_is_refused(url: str) -> None:
    """Without TLS, or without a password; the sentence does not repeat the password."""
    said = await refused(url)
    assert "without TLS or password" in said
    assert "secret" not in said


@pytest.mark.parametrize("url", ["redis://localhost:port", "http://localhost", "redis://[::1", "nonsense"])
@pytest.mark.parametrize("insecure", [False, True])
async def test_what_is_no_address_is_said(url: str, insecure: bool) -> None:
    """With and without --insecure."""
    assert "REDIS_URL" in await refused(url, insecure=insecure)


async def test_a_closed_port_is_said(unused_tcp_port: int) -> None:
    """With the address."""
    url = f"redis://127.0.0.1:{unused_tcp_port}"
    assert f"the store does not answer at 127.0.0.1:{unused_tcp_port}" in await refused(url)


async def test_something_that_is_no_redis_is_said(unused_tcp_port: int) -> None:
    """A web server at that port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", unused_tcp_port):
        assert "the store does not answer" in await refused(f"redis://127.0.0.1:{unused_tcp_port}")


async def test_a_wrong_password_is_said(raw: Redis, embedded_url: str) -> None:
    """Without repeating it; and so is none where one is needed."""
    await raw.config_set("requirepass", "right")
    try:
        said = [await refused(embedded_url.replace("//", password)) for password in ("//:wrong@", "//")]
    finally:
        await raw.config_set("requirepass", "")
    assert set(said) == {"the store refuses this password: check REDIS_URL"}


@pytest.fixture
def small_server(tmp_path: Path) -> Iterator[str]:
    """A server that the test may fill up."""
    server, url = start_server(str(server_binary()), tmp_path)
    yield url
    server.kill()
    server.wait()


async def fill_up(store: Store) -> None:
    """Leave no room and write."""
    await store.writes.config_set("maxmemory-policy", "noeviction")
    await store.writes.config_set("maxmemory", "1mb")
    await store.writes.set("key", "x" * 100)


async def test_a_full_server_is_one_plain_sentence(small_server: str) -> None:
    """When it fills up while the store is in use, and at the next start."""

    async def use() -> None:
        async with open_store(small_server, Path()) as store:
            await fill_up(store)

    with pytest.raises(StoreUnavailable, match="the store's memory is full"):
        await use()
    said = await refused(small_server)
    assert said.startswith("the store's memory is full")
    assert "raise maxmemory" in said


async def test_a_full_server_is_said_from_within_tasks(small_server: str) -> None:
    """Also when the write that failed was one of many side by side."""

    async def use() -> None:
        async with open_store(small_server, Path()) as store, asyncio.TaskGroup() as tasks:
            tasks.create_task(fill_up(store))

    with pytest.raises(StoreUnavailable, match="the store's memory is full"):
        await use()


async def test_an_embedded_server_that_ended_is_said(tmp_path: Path) -> None:
    """By whoever looks, and by the next call that needs it; its log is named."""

    async def use() -> None:
        async with open_store(None, tmp_path / "store") as store:
            assert store.server is not None
            store.check_server()
            os.kill(await process_of(store), signal.SIGKILL)
            await until(store.server.ended, "the server is gone")
            with pytest.raises(StoreUnavailable, match="the embedded store ended"):
                store.check_server()
            await store.writes.get("key")

    with pytest.raises(
        StoreUnavailable,
        match=r"the embedded store ended: it gave no reason.*server\.log",
    ):
        await use()


async def process_of(store: Store) -> int:
    """The server's process id."""
    return int((await store.writes.info("server"))["process_id"])


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux limits another process")
async def test_a_full_disk_is_said(tmp_path: Path) -> None:
    """The server can make its file no longer: it ends rather than lie, and the sentence says so."""

    async def use() -> None:
        async with open_store(None, tmp_path / "store") as store:
            resource.prlimit(await process_of(store), resource.RLIMIT_FSIZE, (20_000, 20_000))
            for number in range(1000):
                await store.writes.set(f"key-{number}", "x" * 1000)

    with pytest.raises(StoreUnavailable, match=r"embedded store ended|disk is full"):
        await use()


async def test_an_unreachable_folder_is_said(tmp_path: Path) -> None:
    """A file where the data folder should be."""
    (tmp_path / "store").write_text("a file")
    assert "cannot write the data folder" in await refused(None, tmp_path / "store")


async def test_more_callers_than_connections_wait_for_their_turn(store: Store) -> None:
    """Three hundred at once: none is refused."""
    answers = await asyncio.gather(*[store.writes.incr("counted") for _ in range(300)])

    assert max(answers) == 300


async def test_a_cancellation_is_never_lost(store: Store) -> None:
    """A loop of short calls ends when it is told to, whenever that is."""

    async def work() -> None:
        while True:
            await store.writes.incr("counted")

    for number in range(100):
        task = asyncio.create_task(work())
        for _ in range(number % 7 + 1):
            await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=5)
        assert done, f"round {number} goes on for ever"
