"""What must be on disk before something goes on: a line of a record, a folder with all that is in it."""

import os
from pathlib import Path

from platforms.private_files import sync_folder


def append_safely(path: Path, line: str) -> None:
    """Add a line to a file, on disk before this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    with open(descriptor, "a", encoding="utf-8") as file:  # noqa: PTH123 (a descriptor)
        file.write(f"{line}\n")
        file.flush()
        os.fsync(file.fileno())


def sync_tree(folder: Path) -> None:
    """Have everything below a folder on disk."""
    for path in folder.rglob("*"):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    sync_folder(folder)
