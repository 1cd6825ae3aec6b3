"""Why the store cannot be used now, in words for people, and what mends it."""

from dataclasses import dataclass
from typing import Final

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)

from streams.errors import NotCopied


@dataclass(frozen=True, slots=True)
class Away:
    """``words`` are a clause such as "the store does not answer"; ``fix`` says what to do."""

    words: str
    fix: str

    @property
    def sentence(self) -> str:
        """To stand alone."""
        return f"{self.words[:1].upper()}{self.words[1:]}."


SILENT: Final = Away("the store does not answer", "look whether its server runs; Heard goes on by itself")
MEMORY_FULL: Final = Away(
    "the store's memory is full, so nothing can be written", "raise maxmemory on its server, or make room"
)
DISK_FULL: Final = Away(
    "the store's disk is full, so nothing can be written", "make room on the disk of its server"
)
PASSWORD: Final = Away("the store refuses this password", "check REDIS_URL")
DISK_TROUBLE: Final = Away(
    "the store cannot write to its disk", "look into its server's log: is the disk full?"
)


def why(error: BaseException) -> Away:
    """What an error of the store means. What is none of its own words means that it does not answer."""
    said = str(error)
    if isinstance(error, NotCopied):
        return Away("the store's replica does not answer", "look at the replica; Heard goes on by itself")
    # While it connects, redis-py wraps what was refused in an error of the connection.
    if any(isinstance(part, AuthenticationError) for part in (error, error.__cause__)):
        return PASSWORD
    if isinstance(error, OutOfMemoryError):
        return MEMORY_FULL
    if "No space left" in said:
        return DISK_FULL
    if said.startswith("MISCONF"):
        return DISK_TROUBLE
    if isinstance(error, BusyLoadingError):
        return Away("the store is starting and reads its files back", "wait; Heard goes on by itself")
    if isinstance(error, ReadOnlyError):
        return Away("the store is a copy that takes no writes", "set REDIS_URL to the primary")
    if isinstance(error, ResponseError):
        return Away(f"the store refuses what Heard needs: {said}", "look into its server's log")
    return SILENT
