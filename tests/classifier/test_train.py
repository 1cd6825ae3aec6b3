"""Training from end to end, on a toy: one seed gives one set of weights, and what comes out can be loaded."""

import gzip
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from classifier.bundle import BUNDLED, read_bundle
from classifier.examples import INTENTS, SENTIMENTS, URGENCIES
from classifier.model import Classifier
from classifier.train import Item, Recipe, Stage, class_weights, fitted_temperature, train

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
    tweets=12,
    frozen_layers=1,
    tone=Stage(epochs=1, batch=4, encoder_rate=1e-3, head_rate=1e-3, keep=1.0),
    brand=Stage(epochs=2, batch=4, encoder_rate=1e-3, head_rate=1e-3, keep=1.0),
)


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
            "brand": "acme",
            "source": "toy",
            "sentiment": SENTIMENTS[number % 3],
            "intent": INTENTS[number % 8],
            "urgency": "critical" if number == 5 else URGENCIES[number % 3],
            "certain": number % 2,
        }
        for number in range(16)
    ]
    for name, rows in (
        ("tweeteval_sentiment/train", tweets),
        ("brandgold/train", mentions),
        ("brandgold/validation", mentions[:8]),
    ):
        path = folder / f"{name}.jsonl.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        with gzip.open(path, "wt", encoding="utf-8") as lines:
            lines.writelines(json.dumps(row) + "\n" for row in rows)
    return folder


def test_training_twice_gives_the_same_weights_and_a_model_that_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Same seed, same data, same bytes; another seed, another name."""
    base, data = _toy_base(tmp_path / "base"), _toy_data(tmp_path / "data")
    for out, recipe in (("one", TOY), ("two", TOY), ("other", replace(TOY, seed=8))):
        train(recipe, data, base, tmp_path / out)
    assert "brands 2: step" in capsys.readouterr().out
    one, two, other = (read_bundle(tmp_path / out) for out in ("one", "two", "other"))
    assert one.name == two.name != other.name
    (answer,) = Classifier.load(tmp_path / "one").classify(["@acme hello"])
    assert answer.model == one.name


def test_stage_two_alone_starts_where_stage_one_ended(tmp_path: Path) -> None:
    """Who only changes the brand rows does not have to train the tone again."""
    base, data = _toy_base(tmp_path / "base"), _toy_data(tmp_path / "data")
    train(TOY, data, base, tmp_path / "whole")
    train(TOY, data, base, tmp_path / "half", tone=tmp_path / "whole" / "tone.safetensors")
    assert read_bundle(tmp_path / "half").name == read_bundle(tmp_path / "whole").name


def test_rare_labels_weigh_more_but_the_mean_weight_is_one() -> None:
    """A label four times as frequent weighs half as much."""
    items = [Item([1], {"urgency": 0})] * 8 + [Item([1], {"urgency": 2})] * 2
    weights = class_weights(items, "urgency")
    assert float(weights[2] / weights[0]) == pytest.approx(2.0)
    assert (8 * float(weights[0]) + 2 * float(weights[2])) / 10 == pytest.approx(1.0)


def test_an_oversure_head_is_cooled() -> None:
    """Logits that promise more than they keep get a temperature above one."""
    logits = torch.tensor([[9.0, 0.0], [9.0, 0.0], [9.0, 0.0], [9.0, 0.0]])
    assert fitted_temperature(logits, torch.tensor([0, 0, 0, 1])) > 3.0
