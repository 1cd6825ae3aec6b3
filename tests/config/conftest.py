"""Runs the command line within the test, as the shell would: arguments in, exit code and words out."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from config import cli


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and what it printed on standard output and standard error."""

    code: int
    out: str
    err: str


Command = Callable[..., Ended]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """HEARD_HOME, in a current folder without settings of its own."""
    for name in ("HEARD_CONFIG", "HEARD_REDIS_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HEARD_HOME", str(tmp_path / "home"))
    # No test reaches another machine: where Bluesky would be, nobody listens.
    monkeypatch.setenv("HEARD_BLUESKY__JETSTREAM_URL", "ws://127.0.0.1:9/subscribe")
    for name in ("SERVICE_URL", "APPVIEW_URL"):
        monkeypatch.setenv(f"HEARD_BLUESKY__{name}", "http://127.0.0.1:9")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def heard(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs one command."""

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["heard", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return Ended(_code(ended.value.code), printed.out, printed.err)

    return run


@pytest.fixture
def server(embedded_url: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty server, set as REDIS_URL."""
    # Any: redis-py's stubs leave the synchronous client's constructors untyped.
    client: Any = redis.Redis.from_url(embedded_url)
    client.flushall()
    client.close()
    monkeypatch.setenv("REDIS_URL", embedded_url)
    return embedded_url


def _code(code: object) -> int:
    return code if isinstance(code, int) else int(code is not None)
