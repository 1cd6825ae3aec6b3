"""The optimiser's loop: computes in bfloat16 where the processor can, remembers in 32 bits, can be resumed.

What learns is kept in 32 bits; a copy in the computing type makes the passes and is refreshed after every
step. The order of the batches follows from the seed alone, so a run that was cut off goes on from its last
checkpoint to the same weights. Checkpoints are safetensors: nothing is pickled.
"""

import copy
import json
import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from classifier.encoder import Padded

_CLIPPED_AT: Final = 1.0
_CHECKPOINT_EVERY_S: Final = 120.0
_SORTED_TOGETHER: Final = 50


@dataclass(frozen=True, slots=True)
class Item:
    """One text as the optimiser sees it.

    ``targets`` holds for each head that knows something of the text one share for each label (a label that
    is certain has share 1). ``weight`` is how much the text counts. ``anchor``, if given, is the mean vector
    that the encoder we started from gave it, of length one.
    """

    ids: Sequence[int]
    targets: Mapping[str, Sequence[float]]
    weight: float = 1.0
    anchor: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """How one stage learns. Rates are the highest that the schedule reaches."""

    epochs: int
    batch: int
    encoder_rate: float
    head_rate: float
    hold: float = 0.66
    """How much staying near the anchors weighs against the labels."""
    smoothing: float = 0.05
    warmup: float = 0.06
    weight_decay: float = 0.01
    balance: float = 0.5
    """Labels weigh in proportion to their frequency to the power of minus this."""


class Dropout(nn.Module):
    """Dropout whose masks come from a quick generator: torch's own took a fifth of a training step."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self._least = round(share * 256)
        self._draw = np.random.Generator(np.random.SFC64(0))

    def forward(self, rows: Tensor) -> Tensor:
        """Drop about the share, and make up for it."""
        if not self._least or not self.training:
            return rows
        drawn = torch.frombuffer(bytearray(self._draw.bytes(rows.numel())), dtype=torch.uint8)
        kept = (drawn.view(rows.shape) >= self._least).to(rows.device, rows.dtype)
        return rows * kept * (256 / (256 - self._least))

    def reseed(self, *seed: int) -> None:
        """Start the masks anew: each step has its own, so that a resumed run draws the same ones."""
        self._draw = np.random.Generator(np.random.SFC64(seed))


@dataclass(frozen=True, slots=True)
class Told:
    """How far a stage has come, for whoever shows it."""

    step: int
    steps: int
    loss: float
    texts_a_second: float


@dataclass(slots=True)
class Learner:
    """Runs stages on one judge: a module that answers a `Padded` batch as `classifier.encoder.Judge` does.

    ``tell`` is called after every step.
    """

    judge: nn.Module
    learns: frozenset[str]
    """The names of the weights that learn."""
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    tell: Callable[[Told], None] = lambda _told: None

    def run(self, items: Sequence[Item], stage: Stage, seed: int, checkpoint: Path | None = None) -> None:
        """Learn the items. A run that was cut off goes on from its checkpoint.

        Raises:
            ValueError: there is nothing to learn from.
        """
        if not items:
            raise ValueError("there is nothing to learn from")
        working = self._working_copy()
        weights = {name: weight for name, weight in self.judge.named_parameters() if name in self.learns}
        optimiser = _optimiser(weights, stage)
        order = _batches([len(item.ids) for item in items], stage, seed)
        rate = torch.optim.lr_scheduler.LambdaLR(optimiser, _schedule(len(order), stage.warmup))
        kept = _Checkpoint(checkpoint, _fingerprint(items, stage, seed))
        first = kept.restore(weights, optimiser, rate)
        _refresh(working, weights)
        losses = _Losses(items, stage, self.device)
        started, saved, total = time.monotonic(), time.monotonic(), 0.0
        for step in range(first, len(order)):
            for module in working.modules():
                if isinstance(module, Dropout):
                    module.reseed(seed, step)
            loss = losses.of(working, [items[place] for place in order[step]])
            loss.backward()  # type: ignore[no-untyped-call]
            _take_gradients(working, weights)
            nn.utils.clip_grad_norm_(list(weights.values()), _CLIPPED_AT)
            optimiser.step()
            rate.step()
            _refresh(working, weights)
            total += float(loss.detach())
            done = step + 1 - first
            speed = done * stage.batch / (time.monotonic() - started)
            self.tell(Told(step + 1, len(order), total / done, speed))
            if time.monotonic() - saved > _CHECKPOINT_EVERY_S:
                kept.save(step + 1, weights, optimiser)
                saved = time.monotonic()
        kept.forget()
        self.judge.eval()

    def _working_copy(self) -> nn.Module:
        self.judge.to(self.device)
        working = copy.deepcopy(self.judge).to(computing_type(self.device))
        for name, weight in working.named_parameters():
            weight.requires_grad_(name in self.learns)
        return working.train()


def computing_type(device: torch.device) -> torch.dtype:
    """bfloat16 where the device multiplies matrices of it in hardware, else 32 bits."""
    if device.type == "cuda" or torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported():
        return torch.bfloat16
    return torch.float32


class _Losses:
    """The loss of a batch: what each head should have said, and how far the mean vectors strayed."""

    def __init__(self, items: Sequence[Item], stage: Stage, device: torch.device) -> None:
        self._stage = stage
        self._device = device
        heads = sorted({head for item in items for head in item.targets})
        self._weights = {head: label_weights(items, head, stage.balance).to(device) for head in heads}

    def of(self, judge: nn.Module, batch: Sequence[Item]) -> Tensor:
        first = next(judge.parameters())
        padded = Padded.of([item.ids for item in batch], first.dtype).to(self._device)
        logits, mean = judge(padded)
        loss = torch.zeros((), device=self._device)
        for head, weights in self._weights.items():
            loss = loss + self._of_head(head, logits[head].float(), weights, batch)
        held = [place for place, item in enumerate(batch) if item.anchor is not None]
        if held and self._stage.hold:
            anchors = torch.stack([item.anchor for item in batch if item.anchor is not None])
            near = nn.functional.cosine_similarity(mean[held].float(), anchors.to(self._device).float())
            loss = loss + self._stage.hold * (1 - near).mean()
        return loss

    def _of_head(self, head: str, logits: Tensor, weights: Tensor, batch: Sequence[Item]) -> Tensor:
        known = [place for place, item in enumerate(batch) if head in item.targets]
        if not known:
            return torch.zeros((), device=self._device)
        wanted = torch.tensor([batch[place].targets[head] for place in known], device=self._device)
        count = torch.tensor([batch[place].weight for place in known], device=self._device)
        even = 1 / wanted.shape[1]
        wanted = (1 - self._stage.smoothing) * wanted + self._stage.smoothing * even
        wrong = -(wanted * weights * logits[known].log_softmax(1)).sum(1)
        return (wrong * count).sum() / count.sum()


def label_weights(items: Sequence[Item], head: str, balance: float) -> Tensor:
    """Weights ∝ frequency^-balance that leave the mean loss as large as it was."""
    rows = [(item.targets[head], item.weight) for item in items if head in item.targets]
    count = (
        torch.tensor([row for row, _ in rows]) * torch.tensor([weight for _, weight in rows])[:, None]
    ).sum(0)
    raw = count.clamp(min=1.0) ** -balance
    return raw * (count.sum() / (raw * count).sum())


def _batches(lengths: Sequence[int], stage: Stage, seed: int) -> list[list[int]]:
    """The places of the items in batches of like length, in a new order every epoch."""
    draw = random.Random(seed)  # noqa: S311 - to repeat, not to hide
    batches: list[list[int]] = []
    for _ in range(stage.epochs):
        places = list(range(len(lengths)))
        draw.shuffle(places)
        epoch: list[list[int]] = []
        for start in range(0, len(places), stage.batch * _SORTED_TOGETHER):
            near = sorted(places[start : start + stage.batch * _SORTED_TOGETHER], key=lengths.__getitem__)
            epoch += [near[place : place + stage.batch] for place in range(0, len(near), stage.batch)]
        draw.shuffle(epoch)
        batches += epoch
    return batches


def _schedule(steps: int, warmup: float) -> Callable[[int], float]:
    warm = max(1, int(steps * warmup))
    return lambda step: min((step + 1) / warm, max(0.0, (steps - step) / max(1, steps - warm)))


def _optimiser(weights: Mapping[str, Tensor], stage: Stage) -> torch.optim.Optimizer:
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for name, weight in weights.items():
        rate = stage.head_rate if name.startswith("heads.") else stage.encoder_rate
        # Norms and biases are few and decaying them only hurts (as in BERT's own training).
        decay = stage.weight_decay if weight.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(weight)
    return torch.optim.AdamW(
        [{"params": some, "lr": rate, "weight_decay": decay} for (rate, decay), some in groups.items()],
        fused=True,
    )


def _take_gradients(working: nn.Module, weights: Mapping[str, Tensor]) -> None:
    for name, weight in working.named_parameters():
        if name in weights:
            weights[name].grad = (
                torch.zeros_like(weights[name]) if weight.grad is None else weight.grad.float()
            )
        weight.grad = None


@torch.no_grad()
def _refresh(working: nn.Module, weights: Mapping[str, Tensor]) -> None:
    for name, weight in working.named_parameters():
        if name in weights:
            weight.copy_(weights[name])


def _fingerprint(items: Sequence[Item], stage: Stage, seed: int) -> str:
    """What must be the same for a checkpoint to be of this run."""
    tokens = sum(math.fsum(item.ids) * (place % 97 + 1) for place, item in enumerate(items))
    return json.dumps([repr(stage), seed, len(items), tokens])


class _Checkpoint:
    """The weights and the optimiser's memory on disk, so that an hour's work is not lost."""

    def __init__(self, path: Path | None, of: str) -> None:
        self._path = path
        self._of = of

    def save(self, step: int, weights: Mapping[str, Tensor], optimiser: torch.optim.Optimizer) -> None:
        if self._path is None:
            return
        tensors = {f"weight.{name}": weight.detach().cpu() for name, weight in weights.items()}
        for name, weight in weights.items():
            tensors |= {f"{part}.{name}": optimiser.state[weight][part].cpu() for part in _MEMORY}
        beside = self._path.with_suffix(".new")
        save_file(tensors, beside, metadata={"of": self._of, "step": str(step)})
        beside.replace(self._path)

    def restore(
        self,
        weights: Mapping[str, Tensor],
        optimiser: torch.optim.Optimizer,
        rate: torch.optim.lr_scheduler.LambdaLR,
    ) -> int:
        """The step to go on with: 0 where there is no checkpoint, or it is of another run."""
        if self._path is None or not self._path.exists():
            return 0
        with safe_open(self._path, "pt") as kept:
            about = kept.metadata()
            if about.get("of") != self._of:
                return 0
            step = int(about["step"])
            with torch.no_grad():
                for name, weight in weights.items():
                    weight.copy_(kept.get_tensor(f"weight.{name}"))
                    memory = {part: kept.get_tensor(f"{part}.{name}").to(weight.device) for part in _MEMORY}
                    optimiser.state[weight] = {**memory, "step": torch.tensor(float(step))}
        rate.last_epoch = step
        for group, base, scale in zip(optimiser.param_groups, rate.base_lrs, rate.lr_lambdas, strict=True):
            group["lr"] = base * scale(step)
        return step

    def forget(self) -> None:
        if self._path is not None:
            self._path.unlink(missing_ok=True)


_MEMORY: Final = ("exp_avg", "exp_avg_sq")
