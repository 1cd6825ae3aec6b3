"""The store's own secret, from which every mark of this store is made (`casework.forgetting.Marks`)."""

import secrets
from typing import Any, Final

from casework.forgetting import SECRET_BYTES, Marks
from streams.connection import Store

KEY: Final = "heard:marks"


class MarksOf:
    """The marks of a store: its secret is made by whoever asks first, and read once."""

    def __init__(self, store: Store) -> None:
        self._writes = store.writes
        self._marks: Marks | None = None

    async def get(self) -> Marks:
        """The marks."""
        if self._marks is None:
            await self._writes.setnx(KEY, secrets.token_bytes(SECRET_BYTES))
            # Any: redis-py's stubs allow for answers that a client without decoding never gives.
            raw: Any = await self._writes.get(KEY)
            self._marks = Marks(raw)
        return self._marks
