"""By which name a person of Slack is known in the cases: one each, nobody else's, and the same for long.

Who approved is counted by name (T5). A display name can be changed in Slack at any time, and two people may
have the same: neither may make one person count as two, or two as one.
"""

from typing import Any, Final

from streams.connection import Store

KEPT_S: Final = 90 * 24 * 3600
"""So long a name stays somebody's after they were last seen."""


class PeopleNames:
    """The names under which people decide."""

    def __init__(self, store: Store) -> None:
        self._writes = store.writes

    async def name_of(self, user_id: str, wanted: str) -> str:
        """The name of a person: the one they had, else what they are called now, made theirs alone."""
        known: Any = await self._writes.getex(_person_key(user_id), ex=KEPT_S)
        if known is not None:
            name = str(known.decode())
            await self._writes.set(_name_key(name), user_id, nx=True, ex=KEPT_S)
            await self._writes.expire(_name_key(name), KEPT_S)
            return name
        name = wanted
        if not await self._claim(wanted, user_id):
            name = f"{wanted} ({user_id})"
            await self._claim(name, user_id)
        await self._writes.set(_person_key(user_id), name, ex=KEPT_S)
        return name

    async def id_of(self, name: str) -> str | None:
        """Whose name this is, letter for letter; None for a name that nobody has in Slack."""
        owner: Any = await self._writes.get(_name_key(name))
        if owner is None:
            return None
        user_id = str(owner.decode())
        known: Any = await self._writes.get(_person_key(user_id))
        return user_id if known is not None and known.decode() == name else None

    async def _claim(self, name: str, user_id: str) -> bool:
        key = _name_key(name)
        if await self._writes.set(key, user_id, nx=True, ex=KEPT_S):
            return True
        owner: Any = await self._writes.get(key)
        return owner is not None and bool(owner.decode() == user_id)


def _person_key(user_id: str) -> str:
    return f"heard:person:{user_id}"


def _name_key(name: str) -> str:
    return f"heard:person-named:{name.casefold()}"
