"""Deaths in the middle of work: a process ends before the n-th call that it makes to its store."""

from collections.abc import Callable
from typing import Any

import pytest

from streams.connection import Store


class Killed(BaseException):
    """The process ends here."""


def dies_before_call(number: int, store: Store, patch: pytest.MonkeyPatch) -> None:
    """Raise `Killed` instead of the ``number``-th call from now on, and of every later one.

    Calls are counted, and no time: how far a process comes does not depend on how busy the machine is.
    """
    connection = store.writes.connection_pool.connection_class
    send: Callable[..., Any] = connection.send_packed_command
    calls = 0

    async def counted(self: Any, *args: Any, **more: Any) -> None:
        nonlocal calls
        calls += 1
        if calls >= number:
            raise Killed
        await send(self, *args, **more)

    patch.setattr(connection, "send_packed_command", counted)
