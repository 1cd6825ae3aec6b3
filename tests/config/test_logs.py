"""Logs say what happened, never what anybody wrote, and never a secret."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from casework.draft import Draft
from config.logs import mask, set_up_logs

POST = "my bag burst into flames and I want to speak to a lawyer"
# Put together here, so that no scanner takes them for real ones.
BOT = "xox" + "b-1234567890-abcdefghij"
APP = "xapp" + "-1-A0123-4567-abcdef"


@pytest.fixture(autouse=True)
def nothing_bound() -> Iterator[None]:
    yield
    structlog.contextvars.clear_contextvars()


def logged(tmp_path: Path, say: Callable[[Any], object], style: str = "json") -> tuple[str, str]:
    stream = io.StringIO()
    set_up_logs(tmp_path, style=style, level="debug", stream=stream)
    say(structlog.get_logger("heard.test"))
    return stream.getvalue(), (tmp_path / "logs" / "heard.log").read_text(encoding="utf-8")


@pytest.mark.parametrize("style", ["json", "pretty"])
@pytest.mark.parametrize(
    "say",
    [
        lambda log: log.info("heard", text=POST, body=POST, draft=POST, post_text=POST, texts=[POST]),
        lambda log: log.info("heard", mention={"id": "x:1", "text": POST, "author": {"body": POST}}),
        lambda log: log.info("drafted", what=Draft(id="d", text=POST, answers="x:1")),
        lambda log: log.info("drafted", many=[{"draft": POST}, (Draft(id="d", text=POST, answers="x:1"),)]),
        lambda log: log.bind(text=POST).warning("bound"),
        lambda log: log.info("payload", raw=POST.encode()),
    ],
)
def test_what_people_write_never_comes_out(tmp_path: Path, say: Callable[[Any], object], style: str) -> None:
    """Not in a field, not nested, not inside a record, in neither form and not in the file."""
    for out in logged(tmp_path, say, style):
        assert out
        assert "flames" not in out


@pytest.mark.parametrize("style", ["json", "pretty"])
@pytest.mark.parametrize(
    "say",
    [
        lambda log: log.info("connecting with " + BOT),
        lambda log: log.info("headers", sent=f"Authorization: Bearer {BOT[5:]}"),
        lambda log: log.info("opened", url=f"wss://host/link?token={APP}&x=1"),
        lambda log: log.info("store", url=f"redis://:{BOT[5:]}@host:6379/0"),
        lambda log: log.info("slack", bot_token=BOT, app_token=APP, client_secret=BOT),
        lambda log: log.info("%s at the door", APP),
        lambda log: log.info("nested", a={"b": [{"c": BOT}]}),
        lambda log: log.info("key", a={BOT: 1}),
        lambda _: logging.getLogger("slack_sdk").warning("auth failed for %s", BOT),
        lambda _: logging.getLogger("library").info("GET https://u:%s@host/", BOT),
        lambda log: failing(log, BOT),
    ],
)
def test_secrets_never_come_out(tmp_path: Path, say: Callable[[Any], object], style: str) -> None:
    """Not of ours, not of a library, not in a traceback, in neither form and not in the file."""
    for out in logged(tmp_path, say, style):
        assert out
        assert BOT[5:] not in out
        assert APP[5:] not in out


def failing(log: Any, secret: str) -> None:
    try:
        raise RuntimeError(f"refused {secret}")
    except RuntimeError:
        log.exception("could not send")


def test_machines_get_one_json_object_a_line(tmp_path: Path) -> None:
    """With the level, the logger, what is bound and a UTC time; libraries' lines look the same."""

    def say(log: Any) -> None:
        structlog.contextvars.bind_contextvars(case="C-1")
        log.info("sent", platform="x")
        logging.getLogger("praw").warning("slow")

    lines = [json.loads(line) for line in logged(tmp_path, say)[0].splitlines()]
    assert lines[0].items() >= {"event": "sent", "platform": "x", "case": "C-1", "level": "info"}.items()
    assert lines[1].items() >= {"event": "slow", "level": "warning", "logger": "praw"}.items()
    assert all(line["at"].endswith("Z") for line in lines)


def test_the_file_holds_the_same_for_its_owner_only(tmp_path: Path) -> None:
    """JSON under HEARD_HOME, also when the terminal is pretty."""
    _, file = logged(tmp_path, lambda log: log.info("sent", case="C-1"), style="pretty")
    assert json.loads(file)["case"] == "C-1"
    assert (tmp_path / "logs" / "heard.log").stat().st_mode & 0o077 == 0


def test_nothing_is_pretty_where_no_terminal_is(tmp_path: Path) -> None:
    """Auto is JSON for a pipe."""
    out, _ = logged(tmp_path, lambda log: log.info("sent"), style="auto")
    assert json.loads(out)["event"] == "sent"


def test_lines_below_the_level_are_not_logged(tmp_path: Path) -> None:
    """Info hides debug."""
    stream = io.StringIO()
    set_up_logs(None, level="info", style="json", stream=stream)
    structlog.get_logger("heard.test").debug("detail")
    logging.getLogger("library").debug("detail")
    assert stream.getvalue() == ""
    assert not [*tmp_path.iterdir()]


def test_setting_up_twice_logs_once(tmp_path: Path) -> None:
    """A reload of settings does not double the lines."""
    set_up_logs(tmp_path, style="json", stream=io.StringIO())
    out, file = logged(tmp_path, lambda log: log.info("sent"))
    assert len(out.splitlines()) == len(file.splitlines()) == 1


def test_nobody_forges_a_line_on_a_terminal(tmp_path: Path) -> None:
    """Control characters of a stranger's name neither move the cursor nor start a line."""
    out, _ = logged(tmp_path, lambda log: log.info("heard", author="eve\x1b[2J\nsent C-1"), style="pretty")
    assert "\x1b[2J" not in out
    assert len(out.splitlines()) == 1


def test_plain_words_are_left_alone() -> None:
    """Masking hides secrets and nothing else."""
    plain = "case C-1 on x took 3 tokens, bearer of news, xoxo, https://host/a?b=c"
    assert mask(plain) == plain


def test_a_log_in_the_watched_folder_is_not_told_of_itself(tmp_path: Path) -> None:
    """Whoever watches a folder in which this log lies hears of each line; nor is a missed ring a line."""
    set_up_logs(tmp_path, stream=io.StringIO())
    logging.getLogger("watchfiles.main").info("1 change detected")
    logging.getLogger("apscheduler.scheduler").warning("skipped: maximum number of running instances")
    logging.getLogger("apscheduler.executors").error("a ring failed")

    said = (tmp_path / "logs" / "heard.log").read_text(encoding="utf-8")
    assert "change detected" not in said
    assert "skipped" not in said
    assert "a ring failed" in said
