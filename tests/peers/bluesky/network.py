"""Runs the reference Bluesky network on this machine: starts it for whoever asks, and ends it with them.

What runs is Bluesky's own: the directory of identities, the server that holds accounts, and the view that
indexes what they write, with the database that this needs; and beside them our `jetstream`. Everything
listens on loopback only and keeps what it knows in a folder that is thrown away.
"""

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.fakes.waiting import wait_until
from tests.peers.bluesky.install import HERE, installed, node, postgres

WATCH: Final = """
exec 3<&0 </dev/null
"$@" 3<&- &
exec >/dev/null
read _ <&3
kill -TERM $! 2>/dev/null
wait
"""
"""Reads until end of file: that is when whoever started this is gone, by whatever death."""
PATIENCE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Network:
    """Its addresses: the directory, the accounts' server, the view, and the stream."""

    plc: str
    pds: str
    appview: str
    jetstream: str


@contextmanager
def bluesky_network() -> Iterator[Network]:
    """A network with nobody on it, installed first if it is not there.

    Raises:
        AssertionError: it did not start; what it said is in the message.
    """
    home = installed()
    # Beside the packages, where Node looks for them.
    network = [str(node(home)), str(shutil.copy(HERE / "network.mjs", home))]
    jetstream = [sys.executable, str(HERE / "jetstream.py")]
    with tempfile.TemporaryDirectory(prefix="heard-bluesky-") as name:
        folder = Path(name)
        with _database(postgres(home), folder) as url:
            # The network insists on being told of a Redis, and uses none.
            settings = {"DB_POSTGRES_URL": url, "REDIS_HOST": "unused", "TMPDIR": name}
            with (
                _saying(network, folder / "network.log", settings) as said,
                _saying([*jetstream, said["pds"]], folder / "jetstream.log") as said_too,
            ):
                yield Network(**said, **said_too)


@contextmanager
def _database(programs: Path, folder: Path) -> Iterator[str]:
    """An empty database on a unix socket in a folder of its own; gives its address."""
    own = Path(tempfile.mkdtemp(dir=folder))
    user: dict[str, Any] = {}
    if os.getuid() == 0:
        # It refuses to run as root.
        nobody = pwd.getpwnam("nobody")
        user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": ()}
        folder.chmod(0o711)
        os.chown(own, nobody.pw_uid, nobody.pw_gid)
    data = ["-D", str(own / "data")]
    how = ["--username=heard", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]
    made = subprocess.run([programs / "initdb", *data, *how], cwd=own, capture_output=True, text=True, **user)
    assert made.returncode == 0, made.stderr
    where = ["-k", str(own), "-c", "listen_addresses=", "-c", "fsync=off"]
    with _watched([str(programs / "postgres"), *data, *where], folder / "database.log", cwd=own, **user):
        ready = [str(programs / "pg_isready"), "--quiet", "--host", str(own)]
        wait_until(
            lambda: subprocess.run(ready, check=False).returncode == 0,
            "the database starting",
            within_s=PATIENCE_S,
        )
        yield f"postgresql://heard@localhost/postgres?host={own}"


@contextmanager
def _saying(
    command: Sequence[str], log: Path, settings: Mapping[str, str] | None = None
) -> Iterator[dict[str, str]]:
    """A program that says, in one line of JSON, that it is ready and where."""
    with _watched(command, log, env=os.environ | (settings or {})) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("{"), f"{command[1]} did not start: {line}{log.read_text()}"
        said: dict[str, str] = json.loads(line)
        yield said


@contextmanager
def _watched(command: Sequence[str], log: Path, **how: Any) -> Iterator[subprocess.Popen[str]]:
    """A program that ends with this process, however it dies."""
    with log.open("wb") as errors:
        process: subprocess.Popen[str] = subprocess.Popen(
            ["/bin/sh", "-c", WATCH, "heard-peer", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
            **how,
        )
    with process:
        try:
            yield process
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(PATIENCE_S)


if __name__ == "__main__":
    with bluesky_network() as running:
        print(running, flush=True)  # noqa: T201
        sys.stdin.read()
