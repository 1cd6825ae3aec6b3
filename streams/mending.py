"""Mending the embedded store's files when they cannot be read to their end: a copy first, then the good part.

Every answered write was synced, so a file that ends in the middle of a write lost nothing, and the server
drops that end by itself. This is for files that something else damaged: a disk, a copy, an editor.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from streams import embedded
from streams.errors import StoreUnavailable

ANALYZED: Final = re.compile(r"size=(\d+), ok_up_to=(\d+)")
_NEWEST: Final = re.compile(r"^file (\S+) seq \d+ type i$", re.MULTILINE)
# The binary is the checker too, when it is called by that name.
_CHECKER: Final = "valkey-check-aof"


@dataclass(frozen=True, slots=True)
class Damage:
    """A file that can be read up to a byte; what comes after it is lost. Sizes in bytes."""

    file: Path
    size: int
    good: int

    @property
    def lost(self) -> int:
        """How much cannot be read."""
        return self.size - self.good


def examine(folder: Path) -> Damage | None:
    """What is damaged in the newest of a store's files; None when it can be read to its end.

    Raises:
        StoreUnavailable: a living server uses the folder, or there is no such file.
    """
    if not embedded.unused(folder):
        raise StoreUnavailable(
            f"a store runs on {folder}: end it first, as it writes to what is to be mended"
        )
    newest = _newest(folder)
    if not newest.stat().st_size:
        # The checker takes nothing for something broken.
        return None
    said = subprocess.run(
        [_CHECKER, str(newest)],
        executable=embedded.server_binary(),
        capture_output=True,
        text=True,
        check=False,
    )
    found = ANALYZED.search(said.stdout)
    if found is None:
        raise StoreUnavailable(
            f"{newest} could not be examined: {said.stdout.strip() or said.stderr.strip()}"
        )
    damage = Damage(newest, int(found[1]), int(found[2]))
    return damage if damage.lost else None


def mend(folder: Path, damage: Damage, *, at: datetime) -> Path:
    """Cut the file after its good part; returns where the copy of everything as it was lies."""
    copy: Path = folder.with_name(f"{folder.name}-before-mending-{at:%Y%m%d-%H%M%S}")
    shutil.copytree(folder / embedded.DATA, copy / embedded.DATA)
    with damage.file.open("rb+") as file:
        file.truncate(damage.good)
        file.flush()
        os.fsync(file.fileno())
    return copy


def _newest(folder: Path) -> Path:
    data = folder / embedded.DATA
    try:
        names: list[str] = _NEWEST.findall((data / embedded.MANIFEST).read_text(errors="replace"))
    except OSError:
        names = []
    if not names or not (data / names[-1]).is_file():
        raise StoreUnavailable(
            f"{data} has no list of its files that can be read, so nothing can be mended: restore a backup"
        )
    return data / names[-1]
