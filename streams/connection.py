"""Which store this is: a URL's or the embedded one, checked, with our functions loaded. Start here.

redis-py retries writes blindly (one `xadd` whose answer is lost arrives eleven times) and times reads
out after 5 s: writes go through a client without retries, blocking reads through one of their own.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.connection import AbstractConnection, BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.connection import HiredisRespSerializer
from redis.exceptions import RedisError, ResponseError

from casework.errors import HeardError
from streams import away, embedded
from streams.errors import NotCopied, StoreUnavailable, WrongStore
from streams.topics import PARTITIONS

log = structlog.get_logger(__name__)

FORMAT: Final = 1
HEADER: Final = "heard:store"
TRIAL: Final = "heard:trial"
NO_STORE: Final = (RedisError, OSError)
"""What the store or the way to it raises, and no bug of ours."""
LOST: Final = (*NO_STORE, AttributeError, TypeError)
"""What a redis-py call may raise when its connection dies under it."""

WRITE_TIMEOUT_S: Final = 10.0
# Longer than any block of a read, or redis-py takes an empty wait for a dead connection.
READ_TIMEOUT_S: Final = 30.0
OLDEST: Final = (7, 0)
WRITTEN_ANEW_S: Final = 600.0
LOOK_EVERY_S: Final = 0.05
_FILES: Final = {
    "append-only file": (
        "BGREWRITEAOF",
        "aof_rewrite_in_progress",
        "aof_rewrite_scheduled",
        "aof_last_bgrewrite_status",
    ),
    "snapshot": ("BGSAVE", "rdb_bgsave_in_progress", "rdb_bgsave_scheduled", "rdb_last_bgsave_status"),
}
"""What a server keeps on disk: how it is told to write it anew, and what says that it does, will, and did."""
CONNECTIONS: Final = 100
COPIED: Final = "heard:copied"
COPIED_WITHIN_MS: Final = 1000
_PACKER: Final = HiredisRespSerializer()
FUNCTIONS: Final = Path(__file__).with_name("door.lua")


@dataclass(frozen=True, slots=True)
class Store:
    """The two clients of one store: ``writes`` never retries, ``reads`` may block.

    ``server`` is the embedded one, if that is what they talk to. ``replicas`` is on how many others a
    write must be before it counts.
    """

    writes: Redis
    reads: Redis
    url: str
    server: embedded.EmbeddedServer | None = None
    replicas: int = 0

    def check_server(self) -> None:
        """See whether an embedded server still runs: it does not come back by itself.

        Raises:
            StoreUnavailable: it ended.
        """
        if self.server is not None and self.server.ended():
            raise _its_end(self.server)

    async def keep(self, pipe: Pipeline) -> list[Any]:
        """Carry out commands so that no failover loses what they wrote; returns their answers.

        Raises:
            NotCopied: they are carried out, and too few replicas have them within `COPIED_WITHIN_MS`.
        """
        if not self.replicas:
            answers: list[Any] = await pipe.execute()
            return answers
        # WAIT counts from this connection's last write; commands that change nothing are none.
        pipe.incr(COPIED)
        pipe.wait(self.replicas, COPIED_WITHIN_MS)
        *answers, _, copied = await pipe.execute()
        if copied < self.replicas:
            raise NotCopied(f"written, and on {copied} of {self.replicas} replicas")
        return answers

    async def keep_call(self, name: str, keys: Sequence[str], *args: str | bytes | int) -> Any:
        """`keep` for one call of a function of ours."""
        async with self.writes.pipeline(transaction=False) as pipe:
            pipe.fcall(name, len(keys), *keys, *args)
            (answer,) = await self.keep(pipe)
        return answer

    def one_connection(self) -> Redis:
        """A client of one connection, which is the server's sign that its process lives; to be closed."""
        return _client(self.url, WRITE_TIMEOUT_S, connections=1)

    async def settings(self, *names: str) -> dict[str, str]:
        """These settings, as far as the server tells them: hosted ones often do not. May raise `LOST`."""
        try:
            # Any: redis-py's stubs promise texts that a client without decoding never gives.
            told: Any = await self.writes.config_get(*names)
        except ResponseError:
            return {}
        return {_said(name): _said(value) for name, value in told.items()}

    async def trouble(self) -> away.Away | None:
        """Why nothing can be written, though the server answers; None where it can. May raise `LOST`."""
        try:
            await self.writes.set(TRIAL, b"", ex=60)
        except ResponseError as error:
            return away.why(error)
        return None

    async def forget_deleted(self) -> bool:
        """Have the server write its files anew, so that what was deleted is on no disk any more (X12).

        Returns once it has; False where it does not, as some hosted servers decide by themselves when to.
        """
        for kind, written_anew in _FILES.items():
            if await self._has(kind) and not await self._written_anew(*written_anew):
                return False
        return True

    async def _has(self, kind: str) -> bool:
        """Whether the server keeps such a file."""
        info: Any = await self.writes.info("persistence")
        if kind == "append-only file":
            return bool(info.get("aof_enabled"))
        try:
            # Any: redis-py's stubs allow for answers that a client without decoding never gives.
            asked: Any = await self.writes.config_get("save")
        except ResponseError:
            return False
        return any(asked.values())

    async def _written_anew(self, command: str, running: str, waiting: str, outcome: str) -> bool:
        """Whether the server began after this was asked, and ended well."""
        begun, until = False, time.monotonic() + WRITTEN_ANEW_S
        while time.monotonic() < until:
            info: Any = await self.writes.info("persistence")
            if not info.get(running) and not info.get(waiting):
                if begun:
                    return bool(info.get(outcome) == "ok")
                try:
                    await self.writes.execute_command(command)  # type: ignore[no-untyped-call]
                    begun = True
                except ResponseError as error:
                    # One that began by itself meanwhile began before this was asked: it may hold the words.
                    if "progress" not in str(error):
                        log.warning("files not written anew", why=str(error))
                        return False
            await asyncio.sleep(LOOK_EVERY_S)
        log.warning("files not written anew", why=f"not done within {WRITTEN_ANEW_S:g} s")
        return False


def end_if_cancelled() -> None:
    """End this task if it was told to: a cancellation that hits a library may come out as its own error.

    Every loop that survives lost connections asks this, or it would survive its own end too.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


@asynccontextmanager
async def open_store(url: str | None, folder: Path, *, insecure: bool = False) -> AsyncIterator[Store]:
    """The store at ``url``, else the embedded one in ``folder``; closed when the block ends.

    Raises:
        StoreUnavailable: it cannot be started or reached, is full, or was lost while the block ran.
        WrongStore: it is too old, was made by a newer Heard, or lies open on a network.
    """
    server = None
    if url is None:
        server = embedded.start(folder)
        url = server.url
    elif not insecure:
        _refuse_open_network(url)
    try:
        store = Store(_client(url, WRITE_TIMEOUT_S), _client(url, READ_TIMEOUT_S), url, server)
        try:
            await _prepare(store)
            yield replace(store, replicas=await _replicas(store.writes))
        except RedisError as error:
            raise _explained(error, store) from error
        except BaseExceptionGroup as group:
            lost = _redis_error(group)
            if lost is None:
                raise
            raise _explained(lost, store) from group
        finally:
            await store.writes.aclose()
            await store.reads.aclose()
    finally:
        if server is not None:
            server.close()


def _client(url: str, timeout: float, *, connections: int = CONNECTIONS) -> Redis:
    try:
        # A blocking pool: the usual one refuses the call that finds every connection in use.
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=connections,
            timeout=timeout,
            socket_timeout=timeout,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError as error:
        raise StoreUnavailable(f"REDIS_URL is not an address: {error}") from error
    client: Redis = Redis.from_pool(pool)
    pool.connection_class = _packing_in_c(pool.connection_class)
    return client


def _packing_in_c(connection: type[AbstractConnection]) -> type[AbstractConnection]:
    """The connection with hiredis's packer: redis-py's asyncio side packs in Python, at a third of the cost
    of a whole mention. And one that loses no cancellation.
    """

    class Packing(connection):  # type: ignore[misc, valid-type]  # a class made for the URL's kind
        def pack_command(self, *args: Any) -> list[bytes]:
            """One command."""
            packed: list[bytes] = _PACKER.pack(*args)
            return packed

        def pack_commands(self, commands: Iterable[Iterable[Any]]) -> list[bytes]:
            """All commands as one piece."""
            return [b"".join(b"".join(_PACKER.pack(*command)) for command in commands)]

        async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
            """Send; redis-py's `asyncio.wait_for` loses a cancellation that comes as it ends (3.11)."""
            task = asyncio.current_task()
            before = task.cancelling() if task is not None else 0
            await super().send_packed_command(command, check_health)
            if task is not None and task.cancelling() > before:
                await self.disconnect(nowait=True)
                raise asyncio.CancelledError

    return Packing


def _refuse_open_network(url: str) -> None:
    # T12: a store without a password on a network is everybody's store.
    try:
        parts = urlsplit(url)
        local = parts.scheme == "unix" or parts.hostname in ("localhost", "127.0.0.1", "::1")
    except ValueError as error:
        raise StoreUnavailable(f"REDIS_URL is not an address: {error}") from error
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise StoreUnavailable("REDIS_URL must begin with redis://, rediss:// or unix://")
    if not local and not (parts.scheme == "rediss" and parts.password):
        raise WrongStore(
            f"the store at {parts.hostname} is reached without TLS or password: use rediss://:password@host, "
            "or --insecure if the network is yours alone"
        )


async def _prepare(store: Store) -> None:
    try:
        await _check_server(store.writes)
        await _check_header(store.writes)
        await store.writes.function_load(FUNCTIONS.read_text(), replace=True)
    except RedisError:
        raise
    except LOST as error:
        raise _silent(store, error) from error


def _redis_error(error: BaseException) -> RedisError | None:
    """The error, or the first one within a group, if it is Redis's."""
    if isinstance(error, BaseExceptionGroup):
        return next((found for part in error.exceptions if (found := _redis_error(part))), None)
    return error if isinstance(error, RedisError) else None


def _explained(error: RedisError, store: Store) -> HeardError:
    said, gone = str(error), away.why(error)
    if gone is away.PASSWORD:
        return StoreUnavailable(f"{gone.words}: {gone.fix}")
    if gone in (away.MEMORY_FULL, away.DISK_FULL, away.DISK_TROUBLE):
        return StoreUnavailable(f"{gone.words}: {gone.fix}, and restart")
    if isinstance(error, ResponseError):
        return WrongStore(f"the store at {_shown(store.url)} refuses what Heard needs: {said}")
    if store.server is not None and not store.server.answers():
        return _its_end(store.server)
    return _silent(store, said)


def _silent(store: Store, said: object) -> StoreUnavailable:
    return StoreUnavailable(f"{away.SILENT.words} at {_shown(store.url)}: {said}")


def _its_end(server: embedded.EmbeddedServer) -> StoreUnavailable:
    return StoreUnavailable(f"the embedded store ended: {server.reason()}; see {server.log}")


async def _check_server(client: Redis) -> None:
    info = await client.info("server")
    said = str(info.get("valkey_version") or info.get("redis_version") or "0")
    version = tuple(int(part) for part in said.split(".")[:2])
    if version < OLDEST:
        raise WrongStore(f"the store is version {said}; Heard needs Redis 7.0 or Valkey 8 at least")


async def _replicas(client: Redis) -> int:
    """On how many replicas a write must be: one, where there are any.

    Measured on thirty failovers: WAIT 1 on the same connection was the only way that lost nothing, and
    WAITAOF is not it, as Valkey answers before it has written.
    """
    info = await client.info("replication")
    return min(1, int(info.get("connected_slaves", 0)))


async def _check_header(client: Redis) -> None:
    await client.hsetnx(HEADER, "format", str(FORMAT))
    await client.hsetnx(HEADER, "partitions", str(PARTITIONS))
    # Any: redis-py's stubs allow for answers that a client without decoding never gives.
    answer: Any = await client.hmget(HEADER, "format", "partitions")
    written, partitions = (raw.decode(errors="replace") for raw in answer)
    # No format is older than the first: any other is a newer one's.
    if written != str(FORMAT):
        raise WrongStore(
            f"this store was made by a newer Heard (format {written}, this one reads {FORMAT}): "
            "upgrade Heard, or start with an empty HEARD_HOME"
        )
    if partitions != str(PARTITIONS):
        raise WrongStore(f"this store has {partitions} partitions, this Heard {PARTITIONS}")


def _said(raw: str | bytes) -> str:
    return raw.decode(errors="replace") if isinstance(raw, bytes) else raw


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return parts.path if parts.scheme == "unix" else f"{parts.hostname}:{parts.port or 6379}"
