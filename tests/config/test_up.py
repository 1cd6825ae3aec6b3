"""`heard up` as a process: it answers, it is alone, and it ends when it is told to and leaves nothing."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from config import commands
from streams import embedded
from tests.config.conftest import Command
from tests.fakes.model import LookUpModel
from tests.fakes.waiting import wait_until

ROOT = Path(__file__).parents[2]
TOKEN = "a-token-of-the-tests"
PATIENCE_S = 45.0
"""For loading torch on a busy machine."""


@dataclass
class Service:
    """A running `heard up`."""

    process: "subprocess.Popen[str]"
    home: Path
    port: int

    def get(self, path: str, **headers: str) -> int:
        """The status of an answer; 0 while nobody listens."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 (our own address)
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        except OSError:
            return 0

    def log(self) -> str:
        """What it logged."""
        path = self.home / "logs" / "heard.log"
        return path.read_text() if path.exists() else ""


def command(*arguments: str, home: Path) -> "subprocess.Popen[str]":
    """A command of its own process, in its own home."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("HEARD_", "REDIS_"))}
    environment |= {f"HEARD_BLUESKY__{name}": "http://127.0.0.1:9" for name in ("SERVICE_URL", "APPVIEW_URL")}
    environment["HEARD_BLUESKY__JETSTREAM_URL"] = "ws://127.0.0.1:9/subscribe"
    environment |= {"HEARD_HOME": str(home), "HEARD_DESK__TOKEN": TOKEN, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "config.cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=home.parent,
        start_new_session=True,
    )


@pytest.fixture
def service(tmp_path: Path, unused_tcp_port: int, heard: Command, home: Path) -> Iterator[Service]:
    """Started from what init wrote, without a store of its own, and answering."""
    heard("init", "--brand", "Aurora")
    process = command("up", "--desk", f"127.0.0.1:{unused_tcp_port}", home=home)
    running = Service(process, home, unused_tcp_port)
    try:
        wait_until(
            lambda: running.get("/livez") == 200 or process.poll() is not None,
            "it answers",
            within_s=PATIENCE_S,
        )
        assert process.poll() is None, process.communicate()[1]
        yield running
    finally:
        process.kill()
        process.communicate()


@pytest.mark.timeout(120)
def test_the_life_of_a_service(service: Service) -> None:
    """Its API asks for the token; a wrong brand file is named and survived; a second one is told that it is
    the second; Ctrl+C ends it with 130 within five seconds, and its server with it.
    """
    home, process = service.home, service.process
    assert service.get("/api/v1/cases") in (401, 403)
    assert service.get("/api/v1/cases", Authorization="Bearer wrong") in (401, 403)
    assert service.get("/api/v1/cases", Authorization=f"Bearer {TOKEN}") == 200

    brand = home / "brand.yaml"
    brand.write_text(brand.read_text().replace("schema: 1", "schema: 1\nshema: 2", 1))
    wait_until(lambda: "shema: there is no such setting" in service.log(), "it names what is wrong")
    assert service.get("/livez") == 200
    brand.write_text(brand.read_text().replace("\nshema: 2", "\n# changed", 1))
    wait_until(lambda: "brand file adopted" in service.log(), "it adopts what is right")

    second = command("up", "--desk", "127.0.0.1:0", home=home)
    said = second.communicate(timeout=PATIENCE_S)[1]
    assert (second.returncode, "another process sends from here already" in said) == (1, True), said
    paused = command("pause", home=home)
    paused.communicate(timeout=PATIENCE_S)
    assert paused.returncode == 0

    process.send_signal(signal.SIGINT)
    _, talk = process.communicate(timeout=5)
    assert process.returncode == 130
    assert "Traceback" not in talk
    wait_until(lambda: embedded._ended(home / "store"), "its server ended", within_s=2.0)
    events = [json.loads(line)["event"] for line in service.log().splitlines()]
    assert not [event for event in events if "PromiseClock.ring" in event]


@pytest.mark.timeout(120)
def test_a_service_whose_own_server_dies_says_so_and_ends(service: Service) -> None:
    """With a sentence and code 1, so that whatever watches it starts it again: the server stays away."""
    server = next(
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _runs_in(entry, service.home / "store")
    )
    os.kill(server, signal.SIGKILL)
    _, talk = service.process.communicate(timeout=PATIENCE_S)

    assert service.process.returncode == 1
    assert talk.strip().splitlines()[-1].startswith("heard: the embedded store ended")


def _runs_in(process: Path, folder: Path) -> bool:
    try:
        # Its watch is a shell with the same words on its command line.
        name = (process / "comm").read_text().strip()
        return name not in ("sh", "dash") and (process / "cwd").resolve() == folder
    except OSError:
        return False


def test_the_demo_ends_by_itself(
    heard: Command, server: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the minutes it was given, with code 0; the next one goes on where it was left."""
    monkeypatch.setattr(commands, "load_model", lambda *_: LookUpModel())
    arguments = ("demo", "--minutes", "0.02", "--no-open", "--desk", "127.0.0.1:0")
    first, second = heard(*arguments), heard(*arguments)

    assert (first.code, second.code) == (0, 0)
    assert "The desk is open" in first.err
    assert "The time is up." in first.err
    assert "Going on with the day where it was left" not in first.err
    assert "Going on with the day where it was left" in second.err
    assert "\x1b" not in first.out + first.err
