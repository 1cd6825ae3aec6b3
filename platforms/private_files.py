"""Files that only their owner may read, and that a power cut leaves whole."""

import os
from pathlib import Path


def write_private(file: Path, content: bytes) -> None:
    """Put the content in the file's place, all of it or none, on the disk before this returns.

    Raises:
        OSError: the folder cannot be written.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with open(descriptor, "wb") as written:  # noqa: PTH123 (a descriptor)
        written.write(content)
        written.flush()
        os.fsync(descriptor)
    beside.replace(file)
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk, too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
