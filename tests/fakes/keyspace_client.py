"""redis-py's asyncio client, as far as Heard uses it, over a `Keyspace` in this process.

Features: every command of `Keyspace`, pipelines, blocking reads that end when something is added. What lies
between the client and the store is a `Wire`: the plain one carries everything at once, others may be slow,
or cut.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Self, cast

from redis.asyncio import Redis

from streams.connection import FUNCTIONS, Store
from tests.fakes.keyspace import Keyspace

Effect = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]
"""A command with its arguments, not yet carried out."""


class Wire:
    """Between a client and the store: carries effects there, and answers back."""

    async def carry(self, effects: Sequence[Effect]) -> list[Any]:
        """The answers to these, in order; an exception is an answer too."""
        return answers_to(effects)


def answers_to(effects: Sequence[Effect]) -> list[Any]:
    """What the store says; its errors are answers."""
    answers: list[Any] = []
    for command, args, options in effects:
        try:
            answers.append(command(*args, **options))
        except Exception as error:
            answers.append(error)
    return answers


class KeyspaceClient:
    """What `redis.asyncio.Redis` is to the real store."""

    def __init__(self, keyspace: Keyspace, wire: Wire | None = None) -> None:
        self._keyspace = keyspace
        self._wire = wire or Wire()

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        command = getattr(self._keyspace, name)

        async def called(*args: Any, **options: Any) -> Any:
            (answer,) = await self._wire.carry([(command, args, options)])
            if isinstance(answer, Exception):
                raise answer
            return answer

        # Found at once the next time.
        self.__dict__[name] = called
        return called

    async def xread(self, streams: Any, count: int | None = None, block: int | None = None) -> Any:
        """XREAD."""
        return await self._blocking((self._keyspace.xread, (streams, count), {}), block)

    async def xreadgroup(
        self,
        groupname: str,
        consumername: str,
        streams: Any,
        count: int | None = None,
        block: int | None = None,
    ) -> Any:
        """XREADGROUP."""
        return await self._blocking(
            (self._keyspace.xreadgroup, (groupname, consumername, streams, count), {}), block
        )

    async def _blocking(self, effect: Effect, block: int | None) -> Any:
        loop = asyncio.get_running_loop()
        end = loop.time() + (block or 0) / 1000
        while True:
            (answer,) = await self._wire.carry([effect])
            if isinstance(answer, Exception):
                raise answer
            if answer or block is None or loop.time() >= end:
                return answer
            await asyncio.sleep(0.001)

    async def hscan_iter(self, name: str, count: int | None = None) -> AsyncIterator[tuple[bytes, bytes]]:
        """HSCAN, all of it."""
        for pair in (await self.hgetall(name)).items():
            yield pair

    def pipeline(self, transaction: bool = True) -> "Pipeline":
        """Commands that travel together."""
        return Pipeline(self._keyspace, self._wire, whole=transaction)

    async def aclose(self) -> None:
        """Nothing is open."""


class Pipeline:
    """Commands that travel together; with ``whole`` all of them are carried out or none."""

    def __init__(self, keyspace: Keyspace, wire: Wire, *, whole: bool) -> None:
        self._keyspace = keyspace
        self._wire = wire
        self._whole = whole
        self._effects: list[Effect] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._effects = []

    def __getattr__(self, name: str) -> "Callable[..., Pipeline]":
        command = getattr(self._keyspace, name)

        def queued(*args: Any, **options: Any) -> Pipeline:
            self._effects.append((command, args, options))
            return self

        self.__dict__[name] = queued
        return queued

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        """The answers, in order."""
        effects, self._effects = self._effects, []
        if self._whole:
            (answers,) = await self._wire.carry([(answers_to, (effects,), {})])
        else:
            answers = await self._wire.carry(effects)
        if raise_on_error:
            for answer in answers:
                if isinstance(answer, Exception):
                    raise answer
        return cast(list[Any], answers)


def store_over(keyspace: Keyspace, wire: Wire | None = None) -> Store:
    """A `Store` whose both clients talk to this keyspace."""
    client = cast(Redis, KeyspaceClient(keyspace, wire))
    return Store(client, client, "memory://")


def new_keyspace(now_ms: Callable[[], int] | None = None) -> Keyspace:
    """An empty store with the shipped functions."""
    keyspace = Keyspace(now_ms)
    keyspace.function_load(FUNCTIONS.read_text())
    return keyspace
