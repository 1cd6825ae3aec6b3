"""Which consumer of a stage this process is, and that only one process sends: locks that end with us.

A lock file is held by the kernel until its holder is dead, not merely stopped: a name is free again only
on proof of death, and what its holder had begun is then taken up at once.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from casework.errors import HeardError

MOST: Final = 256


class Taken(HeardError):
    """Another living process holds this."""


@contextmanager
def lane(folder: Path, stage: str) -> Iterator[int]:
    """The lowest free number of a stage's consumers on this machine, ours until the block or we end.

    Raises:
        Taken: there are too many.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(MOST):
        try:
            with only_one(folder / f"{stage}.{number}"):
                yield number
                return
        except Taken:
            continue
    raise Taken(f"{MOST} processes run the stage {stage} already")


@contextmanager
def only_one(path: Path, does: str = "") -> Iterator[None]:
    """Hold a lock file; ``does`` says what its holder alone does.

    Raises:
        Taken: a living process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Taken(f"another process {does or 'works'} ({path} is taken): end it first") from None
        yield
    finally:
        os.close(handle)
