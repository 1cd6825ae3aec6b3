"""The model: the shipped runtime against three pipelines and against `transformers`, and how true it stays.

Every pass is measured in CPU seconds of its one thread, so that others who compute on the machine distort
little; start-ups and two workers by the clock as well. A pass takes token ids and gives logits as numbers, on
both sides. Whole means from the text on: prepared, tokenised, judged, and for Heard also language and topics.
"""

import gzip
import json
import os
import random
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import nn
from transformers import (
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
    TextClassificationPipeline,
)
from transformers.utils import logging

from bench.classified import texts as small_texts
from bench.fresh import AT_ONCE, Start, Worker, start
from classifier.bundle import BUNDLED, Bundle, Logits, read_bundle
from classifier.model import Classifier
from classifier.reference import Reference

DATA = Path(__file__).parents[2] / "shared" / "data"
FILES = (
    "tweeteval_sentiment/test_half",
    "tweeteval_sentiment/val",
    "brandgold/validation",
    "brandgold/train",
    "tweeteval_sentiment/train",
)
FIDELITY_TEXTS = 10_000
ROUNDS = 5
BATCHES = (1, 8, 32)
OF_A_ROUND = 64
OF_A_ROUND_FOR_PIPELINES = 4
GEMM_ROWS = 512
COMPANY = 17
"""The size of the other batches that texts are put in to see whether company changes their labels."""
_BARS_AGAINST_PIPELINES = {1: 40.0, 8: 60.0}
_BARS_AGAINST_REFERENCE = {1: 1.7, 8: 2.3, 32: 2.3}


@dataclass(frozen=True, slots=True)
class Measured:
    """One line: what was measured, the figures, and the bar that the value is held against, if any."""

    what: str
    value: float
    figures: str
    bar: float | None = None
    at_least: bool = True

    def text(self) -> str:
        """The line; whether the bar holds comes last."""
        line = f"{self.what:<44} {self.value:>9.4g}   {self.figures}"
        if self.bar is None:
            return line
        holds = self.value >= self.bar if self.at_least else self.value <= self.bar
        sign = "≥" if self.at_least else "≤"
        return f"{line}   (bar {sign} {self.bar:g}: {'holds' if holds else 'MISSED'})"


@dataclass(frozen=True, slots=True)
class JudgingFigures:
    """All lines, and how busy the machine was when each part began."""

    lines: tuple[Measured, ...]
    loads: tuple[float, ...]

    def text(self) -> str:
        """One line each."""
        loads = ", ".join(f"{load:.1f}" for load in self.loads)
        head = (
            f"judging, per CPU-second of one thread; load {loads} at the start of each part: "
            "what is above 1 (above 2 after the two workers) is others who compute beside"
        )
        return "\n".join([head, *(line.text() for line in self.lines)])


def measure() -> JudgingFigures:
    """Start-ups, the passes, two workers, and fidelity last, whose time does not count."""
    loads, lines = [], []
    texts = real_texts()
    for part in (starts, passes, two_workers, fidelity):
        loads.append(os.getloadavg()[0])
        lines += part(texts)
    return JudgingFigures(tuple(lines), tuple(loads))


def real_texts(most: int = FIDELITY_TEXTS) -> list[str]:
    """Real posts where the labelled sets are at hand, the demo day's otherwise; shuffled, always the same."""
    found: list[str] = []
    for name in FILES:
        path = DATA / f"{name}.jsonl.gz"
        if path.exists():
            found += [json.loads(line)["text"] for line in gzip.decompress(path.read_bytes()).splitlines()]
    found = list(dict.fromkeys(found))[:most] or small_texts()
    random.Random(1).shuffle(found)
    return found


def starts(_: Sequence[str]) -> list[Measured]:
    """From nothing to the first verdict, and the memory that it took."""
    took: dict[str, list[Start]] = {"packed": [], "reference": []}
    for _round in range(ROUNDS):
        for runtime, found in took.items():
            found.append(start(runtime))
    ours, theirs = took["packed"], took["reference"]

    def line(what: str, of: Callable[[Start], float], unit: str, bar: float | None) -> Measured:
        mine, other = median(map(of, ours)), median(map(of, theirs))
        return Measured(what, mine / other, f"{mine:.3g} against {other:.3g} {unit}", bar, at_least=False)

    return [
        line("first verdict, by the clock", lambda one: one.wall_s, "s", 0.5),
        line("first verdict, CPU", lambda one: one.cpu_s, "s", None),
        line("peak memory until then", lambda one: one.peak_mb, "MB", 0.9),
    ]


def passes(texts: Sequence[str]) -> list[Measured]:
    """Every runtime in turn on the same texts, other texts each round."""
    bundle = read_bundle()
    with redirect_stderr(StringIO()):
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        pipelines = Pipelines(bundle)
    contest = Contest(Classifier.load(), Reference(bundle), pipelines)
    gemm = Gemm(bundle.shape)
    speed: dict[str, list[float]] = defaultdict(list)
    with torch.inference_mode():
        for number in range(ROUNDS + 1):
            first = number * OF_A_ROUND % max(1, len(texts) - OF_A_ROUND)
            of_round = {**contest.round(texts[first : first + OF_A_ROUND]), "gemm": gemm.speed()}
            if number:  # The first round makes room.
                for name, one in of_round.items():
                    speed[name].append(one)
    return _lines({name: median(found) for name, found in speed.items()})


def _lines(speed: Mapping[str, float]) -> list[Measured]:
    lines = []
    for what, of in (("passes", ""), ("whole", ", whole")):
        for size in (1, 8):
            ours, theirs = speed[f"packed {size}{of}"], speed[f"pipelines{of}"]
            name = f"three pipelines one by one, batch {size}, {what}"
            figures = f"{ours:.1f} against {theirs:.2f} texts/s"
            bar = _BARS_AGAINST_PIPELINES[size] if of == "" else None
            lines.append(_faster(name, ours / theirs, figures, bar, _share(speed, size)))
        for size in BATCHES:
            ours, theirs = speed[f"packed {size}{of}"], speed[f"reference {size}{of}"]
            name = f"reference, batch {size}, {what}"
            figures = f"{ours:.1f} against {theirs:.1f} texts/s"
            bar = _BARS_AGAINST_REFERENCE[size] if of == "" else None
            lines.append(_faster(name, ours / theirs, figures, bar, _share(speed, size)))
    for size in BATCHES:
        theirs = speed[f"reference {size}, GFLOP/s"] / speed["gemm"]
        figures = f"of {speed['gemm']:.0f} GFLOP/s; reference {theirs:.2f}"
        lines.append(Measured(f"share of the GEMM peak, batch {size}", _share(speed, size), figures))
    return lines


def _faster(name: str, times: float, figures: str, bar: float | None, share: float) -> Measured:
    """How many times faster; beside a bar what 32 bits could reach at most: if all ran at the GEMM peak."""
    if bar is None:
        return Measured(name, times, figures)
    return Measured(name, times, f"{figures}, {times / share:.1f} at the GEMM peak", bar)


def _share(speed: Mapping[str, float], size: int) -> float:
    """How much of the arithmetic that one thread can do the linear layers reach."""
    return speed[f"packed {size}, GFLOP/s"] / speed["gemm"]


class Contest:
    """The runtimes side by side on the same texts."""

    def __init__(self, model: Classifier, reference: Reference, pipelines: "Pipelines") -> None:
        self._model = model
        self._reference = reference
        self._pipelines = pipelines

    def round(self, texts: Sequence[str]) -> dict[str, float]:
        """Texts a second of each runtime, and the useful arithmetic in their linear layers."""
        speed: dict[str, float] = {}
        ids = self._reference.read(texts)
        flop = sum(map(len, ids)) * self._reference.flop_per_token
        for size in BATCHES:
            reads = [self._model.read(text) for text in texts]
            speed[f"packed {size}"] = _rate(self._packed_pass, reads, size)
            speed[f"reference {size}"] = _rate(self._reference_pass, ids, size)
            speed[f"packed {size}, whole"] = _rate(self._packed_whole, texts, size)
            speed[f"reference {size}, whole"] = _rate(self._reference.logits, texts, size)
            for who in ("packed", "reference"):
                speed[f"{who} {size}, GFLOP/s"] = speed[f"{who} {size}"] * flop / len(texts) / 1e9
        few = texts[:OF_A_ROUND_FOR_PIPELINES]
        speed["pipelines"] = _rate(self._pipelines.passes, self._pipelines.read(few), 1)
        speed["pipelines, whole"] = _rate(self._pipelines.judge, few, 1)
        return speed

    def _packed_pass(self, reads: Sequence[Any]) -> None:
        self._model.forget()
        self._model.think(reads)

    def _packed_whole(self, texts: Sequence[str]) -> None:
        self._model.forget()
        self._model.classify(texts)

    def _reference_pass(self, ids: Sequence[Sequence[int]]) -> None:
        for logits in self._reference.judge(ids).values():
            logits.tolist()


class Pipelines:
    """What a user would write: three classifiers of roberta-base size, one text at a time."""

    def __init__(self, bundle: Bundle) -> None:
        tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
            tokenizer_file=str(BUNDLED / "tokenizer.json"),
            pad_token="[PAD]",  # noqa: S106
            model_max_length=bundle.longest,
        )
        self._pipelines = [
            TextClassificationPipeline(  # type: ignore[no-untyped-call]
                model=_roberta(len(head.labels)), tokenizer=tokenizer
            )
            for head in bundle.heads.values()
        ]
        self._tokenizer = tokenizer

    def read(self, texts: Sequence[str]) -> list[Any]:
        """Each text as the models take it."""
        return [self._tokenizer(text, truncation=True, return_tensors="pt") for text in texts]

    def passes(self, read: Sequence[Any]) -> None:
        """One pass of each model for each text."""
        for one in read:
            for pipeline in self._pipelines:
                pipeline.model(**one).logits.tolist()

    def judge(self, texts: Sequence[str]) -> None:
        """From the text on."""
        for text in texts:
            for pipeline in self._pipelines:
                pipeline(text, truncation=True)


def _roberta(labels: int) -> nn.Module:
    names = {number: str(number) for number in range(labels)}
    config = RobertaConfig(max_position_embeddings=514, type_vocab_size=1, id2label=names)
    model: nn.Module = RobertaForSequenceClassification(config)
    return model.eval()


class Gemm:
    """oneDNN's linear layers of the model's shapes with nothing around them: what one thread can reach."""

    def __init__(self, shape: Mapping[str, Any]) -> None:
        size, wide = shape["hidden_size"], shape["intermediate_size"]
        self._flop = 0
        self._calls: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
        for into, out in ((size, 3 * size), (size, size), (size, wide), (wide, size)):
            weight = torch.randn(out, into)
            packed = torch.ops.mkldnn._reorder_linear_weight(weight, GEMM_ROWS)
            self._calls.append((torch.randn(GEMM_ROWS, into), packed, torch.randn(out)))
            self._flop += 2 * GEMM_ROWS * into * out

    def speed(self, times: int = 20) -> float:
        """GFLOP/s."""
        began = time.thread_time()
        for _ in range(times):
            for rows, weight, bias in self._calls:
                torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "none", [], "")
        return times * self._flop / (time.thread_time() - began) / 1e9


def _rate(judge: Callable[[Sequence[Any]], object], things: Sequence[Any], size: int) -> float:
    """Things a CPU-second of this thread, so many at once."""
    began = time.thread_time()
    for first in range(0, len(things), size):
        judge(things[first : first + size])
    return len(things) / (time.thread_time() - began)


def fidelity(texts: Sequence[str]) -> list[Measured]:
    """Whether the runtime says what the reference says, and the same of a text in any company."""
    bundle, model = read_bundle(), Classifier.load()
    reference = Reference(bundle)
    ours = judged_in_batches(model, texts, AT_ONCE)
    company = list(range(len(texts)))
    random.Random(2).shuffle(company)
    shuffled = judged_in_batches(model, [texts[place] for place in company], COMPANY)
    elsewhere = [logits for _, logits in sorted(zip(company, shuffled, strict=True), key=lambda one: one[0])]
    theirs: list[Logits] = []
    for first in range(0, len(texts), AT_ONCE):
        theirs += reference.logits(texts[first : first + AT_ONCE])
    count = f"n = {len(texts):,}"
    lines = [Measured("largest difference of a logit", farthest(ours, theirs), count, 1e-4, at_least=False)]
    for name, same in equal_labels(bundle, ours, theirs).items():
        lines.append(Measured(f"equal labels, {name}, %", 100 * same / len(texts), count, 100))
    flipped = sum(len(texts) - same for same in equal_labels(bundle, ours, elsewhere).values())
    apart = f"{count}, batches of {AT_ONCE} and {COMPANY}, logits up to {farthest(ours, elsewhere):.2g} apart"
    return [*lines, Measured("labels flipped by batch-mates", flipped, apart, 0, at_least=False)]


def judged_in_batches(model: Classifier, texts: Sequence[str], size: int) -> list[Logits]:
    """What the model says, with nothing remembered from another batch."""
    model.forget()
    found: list[Logits] = []
    for first in range(0, len(texts), size):
        found += model.logits(texts[first : first + size])
    return found


def farthest(ours: Sequence[Logits], theirs: Sequence[Logits]) -> float:
    """The largest difference between two numbers for the same text, head and label."""
    return max(
        abs(mine - other)
        for one, two in zip(ours, theirs, strict=True)
        for head, values in one.items()
        for mine, other in zip(values, two[head], strict=True)
    )


def equal_labels(bundle: Bundle, ours: Sequence[Logits], theirs: Sequence[Logits]) -> dict[str, int]:
    """For each head, how many texts get the same label, as the head reads its logits."""
    return {
        name: sum(
            head.read(one[name]).label == head.read(two[name]).label
            for one, two in zip(ours, theirs, strict=True)
        )
        for name, head in bundle.heads.items()
    }


def two_workers(texts: Sequence[str]) -> list[Measured]:
    """Two processes against one, each with the same texts to judge, 32 at once."""
    some = [texts[number % len(texts)] for number in range(8 * AT_ONCE)]
    workers = [Worker(some), Worker(some)]
    alone, together = [], []
    for number in range(ROUNDS + 1):
        found = _timed(workers[:1]), _timed(workers)
        if number:  # The first round makes room.
            alone.append(found[0])
            together.append(found[1])
    for worker in workers:
        worker.close()
    wall = [2 * median(one[kind] for one in alone) / median(two[kind] for two in together) for kind in (0, 1)]
    rate = len(some) / median(one[0] for one in alone)
    figures = f"{rate:.0f} texts/s by one; {wall[1]:.2f} per CPU-second; {os.cpu_count()} cores"
    return [Measured("two workers against one, by the clock", wall[0], figures, 1.85)]


def _timed(workers: Sequence[Worker]) -> tuple[float, float]:
    """By the clock until the last is done, and the CPU seconds of the one that took most."""
    began = time.perf_counter()
    for worker in workers:
        worker.tell()
    cpu = max(worker.answer() for worker in workers)
    return time.perf_counter() - began, cpu


if __name__ == "__main__":
    print(measure().text())
