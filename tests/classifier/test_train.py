"""Training from end to end, on a toy: one seed gives one set of weights, and what comes out can be loaded."""

import gzip
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Event

import pytest
import torch
from safetensors.torch import save_file

from classifier import examples, learning
from classifier.bundle import BUNDLED, read_bundle
from classifier.examples import INTENTS, SENTIMENTS, URGENCIES, fingerprint
from classifier.learning import Stage, Told
from classifier.model import Classifier
from classifier.recipe import Recipe, RecipeError, read_recipe
from classifier.train import Sources, Trainer, rarer_than_believed, weighed

TOY_SHAPE = {
    "vocab_size": 30_522,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 128,
    "layer_norm_eps": 1e-12,
}
TOY = Recipe(
    tone=Stage(epochs=1, batch=4, encoder_rate=1e-3, head_rate=1e-3),
    brand=Stage(epochs=2, batch=4, encoder_rate=1e-3, head_rate=1e-3),
    together=Stage(epochs=1, batch=8, encoder_rate=1e-3, head_rate=1e-3),
    orders=2,
    replayed=4,
    folds=2,
)


@pytest.fixture(autouse=True)
def toy_lessons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handful of our own posts and labels, and the same arithmetic on every machine."""
    lessons = tmp_path / "lessons"
    lessons.mkdir()
    labels = {"sentiment": "negative", "intent": "churn", "urgency": "high"}
    written = [{"text": f"@acme I leave you, reason {n}", "brand": "acme", **labels} for n in range(4)]
    labelled = [
        {
            "text": fingerprint(f"tweet {n} http"),
            "brand": "bolt",
            "source": "semeval",
            "sure": n % 2,
            **labels,
        }
        for n in (1, 2, 99)
    ]
    for name, rows in (("written", written), ("labels", labelled)):
        (lessons / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.setattr(examples, "LESSONS", lessons)
    monkeypatch.setattr(learning, "computing_type", lambda _device: torch.float32)
    monkeypatch.setattr("classifier.train.computing_type", lambda _device: torch.float32)


def _toy_base(folder: Path) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({**TOY_SHAPE, "model_type": "bert"}))
    shutil.copyfile(BUNDLED / "tokenizer.json", folder / "tokenizer.json")
    torch.manual_seed(0)
    wide, size = 32, 16
    weights = {
        "embeddings.word_embeddings.weight": torch.randn(30_522, size),
        "embeddings.position_embeddings.weight": torch.randn(128, size),
        "embeddings.token_type_embeddings.weight": torch.randn(2, size),
        **_norm("embeddings.LayerNorm", size),
    }
    for number in range(2):
        layer = f"encoder.layer.{number}"
        for part in ("query", "key", "value"):
            weights |= _linear(f"{layer}.attention.self.{part}", size, size)
        weights |= _linear(f"{layer}.attention.output.dense", size, size)
        weights |= _norm(f"{layer}.attention.output.LayerNorm", size)
        weights |= _linear(f"{layer}.intermediate.dense", size, wide)
        weights |= _linear(f"{layer}.output.dense", wide, size)
        weights |= _norm(f"{layer}.output.LayerNorm", size)
    save_file(weights, folder / "model.safetensors")
    return folder


def _linear(name: str, width: int, height: int) -> dict[str, torch.Tensor]:
    return {f"{name}.weight": torch.randn(height, width) / 4, f"{name}.bias": torch.zeros(height)}


def _norm(name: str, size: int) -> dict[str, torch.Tensor]:
    return {f"{name}.weight": torch.ones(size), f"{name}.bias": torch.zeros(size)}


def _toy_data(folder: Path) -> Path:
    tweets = [{"text": f"tweet {number} http", "label": number % 3, "src": "toy"} for number in range(18)]
    mentions = [
        {
            "id": f"g{number}",
            "text": f"@acme mention number {number}",
            "brand": ("acme", "bolt", "core")[number % 3],
            "source": "ibm_customer_care",
            "sentiment": SENTIMENTS[number % 3],
            "intent": INTENTS[number % 8],
            "urgency": "critical" if number == 5 else URGENCIES[number % 3],
            "certain": number % 2,
        }
        for number in range(16)
    ]
    for name, rows in (
        ("tweeteval_sentiment/train", tweets),
        ("tweeteval_sentiment/val", tweets[:9]),
        ("brandgold/train", mentions),
        ("ibm_customer_care/dev", [{"turns": [{"who": "customer", "text": "tweet 1 http"}]}]),
        ("ibm_customer_care/test", []),
    ):
        path = folder / f"{name}.jsonl.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        with gzip.open(path, "wt", encoding="utf-8") as lines:
            lines.writelines(json.dumps(row) + "\n" for row in rows)
    return folder


def _trained(tmp_path: Path, name: str, recipe: Recipe = TOY) -> Path:
    base, data = tmp_path / "base", tmp_path / "data"
    if not base.exists():
        _toy_base(base)
        _toy_data(data)
    Trainer(recipe, Sources(data, base, tmp_path / name)).train()
    return tmp_path / name


def test_training_twice_gives_the_same_weights_and_a_model_that_answers(tmp_path: Path) -> None:
    """Same seed, same data, same bytes; another seed, another name."""
    one, two = _trained(tmp_path, "one"), _trained(tmp_path, "two")
    other = _trained(tmp_path, "other", replace(TOY, seed=8))
    assert read_bundle(one).name == read_bundle(two).name != read_bundle(other).name
    assert (one / "config.json").read_bytes() == (two / "config.json").read_bytes()
    (answer,) = Classifier.load(one).classify(["@acme hello"])
    assert answer.model == read_bundle(one).name
    assert len(read_bundle(one).golden) == 8


class _CutOffError(Exception):
    """The machine went away."""


def test_a_training_that_was_cut_off_goes_on_with_the_part_it_was_in(tmp_path: Path) -> None:
    """What was done is not done again, and the end is that of a training in one go."""
    whole = _trained(tmp_path, "whole")
    sources = Sources(tmp_path / "data", tmp_path / "base", tmp_path / "half")

    def cut_off(part: str, _told: Told) -> None:
        if part == "brands-2":
            raise _CutOffError

    with pytest.raises(_CutOffError):
        Trainer(TOY, sources, cut_off, abreast=1).train()
    parts: list[str] = []
    Trainer(TOY, sources, lambda part, _told: parts.append(part)).train()
    assert set(parts) == {"brands-2", "together", "fold-1", "fold-2"}
    assert read_bundle(sources.out).name == read_bundle(whole).name


@pytest.mark.parametrize("abreast", [1, 4])
def test_parts_side_by_side_come_to_the_same_weights(tmp_path: Path, abreast: int) -> None:
    """However many there are at once, and whichever is done first."""
    recipe = replace(TOY, tone_orders=2)
    by_itself = _trained(tmp_path, "by-itself", recipe)
    sources = Sources(tmp_path / "data", tmp_path / "base", tmp_path / "abreast")
    Trainer(recipe, sources, abreast=abreast).train()
    assert read_bundle(sources.out).name == read_bundle(by_itself).name
    assert (sources.out / "config.json").read_bytes() == (by_itself / "config.json").read_bytes()


def test_when_one_part_fails_those_beside_it_stop(tmp_path: Path) -> None:
    """Nobody waits for half an hour to be told; what is done is kept."""
    _trained(tmp_path, "whole")
    sources = Sources(tmp_path / "data", tmp_path / "base", tmp_path / "half")
    both, failed, told_of = Barrier(2), Event(), list[str]()

    def fail_one(part: str, told: Told) -> None:
        told_of.append(part)
        if part.startswith("brands") and told.step == 1:
            both.wait(20)
        if part == "brands-1":
            failed.set()
            raise _CutOffError
        if part == "brands-2":
            assert failed.wait(20)

    with pytest.raises(_CutOffError):
        Trainer(TOY, sources, fail_one, abreast=2).train()
    assert set(told_of) == {"tone-1", "brands-1", "brands-2"}
    assert {path.stem for path in sources.work.glob("*.safetensors")} == {"tone-1"}


def _believe(name: str, count: int, of: Sequence[examples.TweetExample | examples.Remark]) -> None:
    """Keep beliefs about so many rows that say they are about these: each tone as likely."""
    beliefs = torch.full((count, 3), 85, dtype=torch.uint8)
    kept = examples.LESSONS / f"{name}.safetensors"
    save_file({"sentiment": beliefs}, kept, metadata={"rows": examples.fingerprint_of_rows(of)})


def test_what_a_teacher_believes_of_these_rows_is_learned_from(tmp_path: Path) -> None:
    """Beliefs about other rows than these are not taken for beliefs about these."""
    without = _trained(tmp_path, "without")
    rows = examples.tweets(tmp_path / "data", "train")
    for name, of in (("with", rows), ("stale", rows[:-1])):
        _believe("tone", len(rows), of)
        _trained(tmp_path, name)
    assert read_bundle(tmp_path / "with").name != read_bundle(without).name
    assert read_bundle(tmp_path / "stale").name == read_bundle(without).name


def _remarks(tmp_path: Path) -> list[examples.Remark]:
    """Four comments in the toy's data: two of a tone, one of two tones, one that is unclear."""
    path = tmp_path / "data" / "goemotions" / "train.jsonl.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    said = (["joy", "love"], ["neutral"], ["anger", "gratitude"], ["surprise"])
    with gzip.open(path, "wt", encoding="utf-8") as lines:
        lines.writelines(
            json.dumps({"text": f"remark {number}", "labels": labels}) + "\n"
            for number, labels in enumerate(said)
        )
    return examples.remarks(tmp_path / "data")


def test_remarks_have_the_tone_of_their_emotions(tmp_path: Path) -> None:
    """Several emotions share it, and what is only surprised has none; without the set there are none."""
    assert examples.remarks(tmp_path) == []
    assert [remark.tone for remark in _remarks(tmp_path)] == [[0, 0, 1], [0, 1, 0], [0.5, 0, 0.5], None]


def test_tone_is_learned_from_remarks_and_in_several_orders_where_the_recipe_says_so(tmp_path: Path) -> None:
    """People's emotions teach by themselves; what the larger model believes of them comes on top."""
    plain = _trained(tmp_path, "plain")
    rows = _remarks(tmp_path)
    read = replace(TOY, shares=replace(TOY.shares, remarks=0.5))
    names = {read_bundle(plain).name, read_bundle(_trained(tmp_path, "read", read)).name}
    tweets = examples.tweets(tmp_path / "data", "train")
    _believe("remarks", len(rows), rows)
    _believe("tone", len(tweets), tweets)
    names.add(read_bundle(_trained(tmp_path, "believed", read)).name)
    names.add(read_bundle(_trained(tmp_path, "averaged", replace(read, tone_orders=2))).name)

    assert len(names) == 4
    assert {path.stem for path in (tmp_path / "averaged/training").glob("tone-*")} == {"tone-1", "tone-2"}


def test_beliefs_are_put_back_to_how_often_people_said_so() -> None:
    """A teacher that expects the rare label too often is read with that in mind; what it is sure of stays."""
    taught_evenly = [[0.5, 0.5], [0.5, 0.5], [0.9, 0.1], [1.0, 0.0]]

    shares = weighed(taught_evenly, rarer_than_believed(taught_evenly, [1, 1, 1, 0]))

    assert all(sum(row) == pytest.approx(1) for row in shares)
    assert all(after[1] >= before[1] for after, before in zip(shares, taught_evenly, strict=True))
    assert shares[0][1] > 0.5
    assert shares[3] == [1.0, 0.0]
    assert weighed([[0.5, 0.5]], rarer_than_believed([[0.5, 0.5]], [0]))[0] == pytest.approx([1.0, 0.0])


def test_labels_find_their_text_whatever_its_masks_and_blanks() -> None:
    """The labels come without text; the text is looked for in the public sets."""
    assert fingerprint("@acme  My App is DOWN! https://t.co/1") == fingerprint("my app is down http")
    assert fingerprint("my app is down") != fingerprint("my app is up")


def test_the_recipe_that_comes_with_heard_can_be_followed() -> None:
    """Every line of it is known."""
    recipe = read_recipe()
    assert recipe.orders >= 1
    assert recipe.tone.epochs >= 1


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("seed: [", "is no recipe"),
        ("seed: 1", "missing required field `tone`"),
        ("tone: {epochs: many}", "tone"),
        ("", "is no recipe"),
    ],
)
def test_a_recipe_with_a_slip_in_it_says_where(tmp_path: Path, written: str, said: str) -> None:
    """One sentence."""
    path = tmp_path / "recipe.yaml"
    path.write_text(written)
    with pytest.raises(RecipeError, match=said):
        read_recipe(path)


def test_a_recipe_that_is_not_there_is_named(tmp_path: Path) -> None:
    """As the system says it."""
    with pytest.raises(RecipeError, match=r"none\.yaml: No such file"):
        read_recipe(tmp_path / "none.yaml")
