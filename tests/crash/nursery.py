"""Starts the product from a process that has imported it: a start without its two seconds of importing.

What runs is the product's own command line, as `python -m` runs it, in a process of its own. Whoever is
to die while importing needs an interpreter of their own: `tests.crash.product` starts that one.
"""

import asyncio
import multiprocessing
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Final

IMPORTED: Final = (
    "config.cli",
    "config.commands",
    "config.running",
    "config.serving",
    "config.slack",
    "platforms.bluesky",
    "platforms.mastodon",
    "platforms.reddit",
    "platforms.x",
    "webdesk.app",
    "apscheduler.executors.asyncio",
    "atproto_client",
    "httpcore",
    "mastodon",
    "praw",
    "tweepy.asynchronous",
)
"""What the product imports by the time it has looked at a platform, written to Slack, or served the desk."""


class Born:
    """A process, to be waited for and killed, as `asyncio.subprocess.Process` is."""

    def __init__(self, process: ForkServerProcess) -> None:
        assert process.pid is not None
        self._process, self.pid = process, process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code, or a signal's negative number; None while it runs."""
        return self._process.exitcode

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()

    async def wait(self) -> int:
        """How it ended, once it has."""
        if self._process.exitcode is None:
            loop, ended = asyncio.get_running_loop(), asyncio.Event()
            loop.add_reader(self._process.sentinel, ended.set)
            try:
                await ended.wait()
            finally:
                loop.remove_reader(self._process.sentinel)
        self._process.join()
        assert self._process.exitcode is not None
        return self._process.exitcode


def born(
    module: str, words: Sequence[str], *, environment: Mapping[str, str], folder: Path, talk: Path
) -> Born:
    """Run ``python -m module words``; its standard error goes to the end of ``talk``."""
    context = multiprocessing.get_context("forkserver")
    # Before the first start; later it is without effect, and without harm.
    context.set_forkserver_preload([*IMPORTED])
    process = context.Process(
        target=_live, args=(module, [*words], {**environment}, str(folder), str(talk)), daemon=True
    )
    process.start()
    return Born(process)


def _live(module: str, words: list[str], environment: dict[str, str], folder: str, talk: str) -> None:
    nothing, said = (
        os.open(os.devnull, os.O_RDWR),
        os.open(talk, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
    )
    for number, into in enumerate((nothing, nothing, said)):
        os.dup2(into, number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = words
    runpy.run_module(module, run_name="__main__", alter_sys=True)
