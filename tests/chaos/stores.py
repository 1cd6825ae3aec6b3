"""A store of one's own at REDIS_URL: a real server on a port, which a test kills, stops, fills and starts."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from streams import embedded

PATIENCE_S = 20.0
A_LITTLE = 512 * 1024


@dataclass(eq=False)
class OwnServer:
    """The server of a folder. ``fsync`` is its append-only file's policy."""

    folder: Path
    fsync: str = "always"
    port: int = 0
    junk: int = 0
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """For REDIS_URL."""
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, with what is in the folder; returns once it answers or has ended."""
        self.port = self.port or free_port()
        settings = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": self.fsync,
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        options = [part for key, value in settings.items() for part in (f"--{key}", value)]
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(embedded.server_binary()), *options], stdout=log, stderr=log, cwd=self.folder
            )
        deadline = time.monotonic() + PATIENCE_S
        while not self.answers() and self.process.poll() is None:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.02)

    def answers(self) -> bool:
        """Whether it says PONG."""
        with suppress(redis.RedisError, OSError), self.client(timeout=1.0) as client:
            return bool(client.ping())
        return False

    def client(self, *, database: int = 0, timeout: float = 5.0) -> redis.Redis:
        """Somebody else's connection to it."""
        # The library's default would try eleven times, longer and longer apart.
        once = Retry(NoBackoff(), 0)
        return redis.Redis(port=self.port, db=database, socket_timeout=timeout, retry=once)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.process is not None
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        """It dies at once."""
        if self.process is not None and self.process.poll() is None:
            self.send(signal.SIGCONT)
            self.process.kill()
            self.process.wait()

    def fill(self) -> None:
        """Its memory has a limit, and other people's data fills it to the brim."""
        with self.client() as own:
            own.config_set("maxmemory", int(own.info("memory")["used_memory"]) + A_LITTLE)
        self.top_up()

    def top_up(self) -> None:
        """Other people take whatever room there is, however little became free."""
        with self.client(database=1) as others:
            for size in (64 * 1024, 1024):
                with suppress(redis.exceptions.OutOfMemoryError):
                    while True:
                        self.junk += 1
                        others.set(f"junk-{self.junk}", b"j" * size)

    def make_room(self) -> None:
        """Somebody raises the limit and takes the other data away."""
        with self.client() as own, self.client(database=1) as others:
            own.config_set("maxmemory", "0")
            others.flushdb()


@dataclass(eq=False)
class SmallDisk:
    """A file system of its own, which can be filled."""

    folder: Path

    def fill(self) -> None:
        """Not a byte is left."""
        with (self.folder / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):
            while True:
                ballast.write(b"b" * 4096)

    def make_room(self) -> None:
        """Somebody deletes something."""
        (self.folder / "ballast").unlink()


@contextmanager
def small_disk(folder: Path, megabytes: int = 24) -> Iterator[SmallDisk]:
    """A disk of so many megabytes at a folder."""
    folder.mkdir(parents=True)
    mount = shutil.which("mount")
    mounted = mount is not None and subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size={megabytes}m", "heard-chaos", str(folder)],
        capture_output=True,
        check=False,
    )
    if not mounted or mounted.returncode != 0:
        pytest.skip("NO FULL DISK: this machine lets nobody mount a small file system (be root)")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


async def kept_full(server: OwnServer) -> None:
    """Other people go on writing. Until cancelled."""
    while True:
        await asyncio.to_thread(server.top_up)
        await asyncio.sleep(0.05)


async def kept_alive(server: OwnServer) -> None:
    """What a supervisor does: starts the server again whenever it ended. Until cancelled."""
    while True:
        if server.process is None or server.process.poll() is not None:
            await asyncio.to_thread(server.start)
        await asyncio.sleep(1.0)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
