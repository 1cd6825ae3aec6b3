"""What is left of a person: every byte that a HEARD_HOME and a store hold, to be searched."""

from pathlib import Path

from streams.connection import Store


def on_disk(home: Path) -> list[bytes]:
    """Every file, and its name."""
    return [path.read_bytes() + path.name.encode() for path in sorted(home.rglob("*")) if path.is_file()]


async def everything(store: Store, home: Path) -> bytes:
    """Every byte of every file below a folder, and of every key of the store with what is under it."""
    found = on_disk(home)
    await store.writes.config_set("rdbcompression", "no")
    async for key in store.writes.scan_iter(count=1000):
        found += [key, await store.writes.dump(key) or b""]
    return b"\n".join(found)
