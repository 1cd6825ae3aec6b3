"""The larger model: it learns as the small one does, and what it believes is what the small one reads."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from classifier.learning import Stage
from classifier.teacher import School


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A very small MPNet with a tokeniser of its own."""
    from transformers import MPNetConfig, MPNetModel

    config = MPNetConfig(
        vocab_size=40,
        hidden_size=24,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=100,
    )
    torch.manual_seed(1)
    MPNetModel(config, add_pooling_layer=False).save_pretrained(tmp_path)
    words = ["<s>", "<pad>", "</s>", "<unk>"]
    words += ["my", "app", "is", "great", "awful", "today", "thanks", "broken"]
    tokenizer = Tokenizer(WordLevel({word: place for place, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def test_a_teacher_learns_and_says_what_it_believes(base: Path) -> None:
    """Shares in 255ths, in the order of the texts, whatever their lengths."""
    school = School.of(base)
    good, bad = "my app is great thanks", "awful broken today"
    items = [school.item(good, {"sentiment": 2}), school.item(bad, {"sentiment": 0})] * 16
    school.learn(items, Stage(epochs=8, batch=8, encoder_rate=3e-3, head_rate=3e-3, hold=0.0))
    believed = school.believes([bad, good, bad])
    assert believed["sentiment"].dtype == np.uint8
    assert believed["sentiment"].argmax(1).tolist() == [0, 2, 0]
    assert believed["intent"].shape == (3, 8)
    assert (np.abs(believed["urgency"].sum(1).astype(int) - 255) <= 2).all()


def test_a_teacher_is_read_from_safetensors_only(base: Path) -> None:
    """A folder of pickled weights is no teacher."""
    (base / "model.safetensors").rename(base / "pytorch_model.bin")
    with pytest.raises(OSError, match="safetensors"):
        School.of(base)
    assert json.loads((base / "config.json").read_text())["model_type"] == "mpnet"
