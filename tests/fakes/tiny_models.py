"""Models of transformers that are small enough to be made in a test, as `save_pretrained` writes them.

Features: BERT and RoBERTa of 16 numbers a token, any labels, with weights set by hand so that bad, fine
and good are three things; with weights as safetensors or as a pickle.
"""

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
)

TONES = ("bad", "fine", "good")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
FILLERS = ("the", "app", "is", "my", "order", "user", "http", "@", "word", ".", "!")
SIZES: dict[str, Any] = {
    "vocab_size": 40,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}


def tokenizer() -> PreTrainedTokenizerFast:
    """A WordPiece tokeniser of a few words."""
    words = (*SPECIAL, *TONES, *FILLERS)
    made = Tokenizer(WordPiece({word: place for place, word in enumerate(words)}, unk_token="[UNK]"))
    made.normalizer = Lowercase()
    made.pre_tokenizer = BertPreTokenizer()
    template = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    made.post_processor = template
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=made,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    )


def save_bert(folder: Path, labels: tuple[str, ...] = ("negative", "neutral", "positive")) -> Path:
    """A taught BERT whose label at place n stands for the tone at place n modulo three."""
    torch.manual_seed(5)
    named = dict(enumerate(labels))
    model = BertForSequenceClassification(BertConfig(**SIZES, max_position_embeddings=64, id2label=named))
    _teach(model, len(labels))
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def save_roberta(folder: Path) -> Path:
    """An untaught RoBERTa, which counts places from behind its padding's: 38 of 40 are for tokens."""
    torch.manual_seed(5)
    named = {0: "negative", 1: "neutral", 2: "positive"}
    config = RobertaConfig(**SIZES, max_position_embeddings=40, pad_token_id=1, id2label=named)
    RobertaForSequenceClassification(config).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def changed(folder: Path, **values: object) -> Path:
    """The same folder with other values in its config.json."""
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **values}), encoding="utf-8")
    return folder


def pickled(folder: Path) -> Path:
    """The same folder with its weights only as a pickle."""
    (folder / "model.safetensors").unlink()
    torch.save({"weight": torch.zeros(1)}, folder / "pytorch_model.bin")
    return folder


def _teach(model: Any, labels: int) -> None:
    """Set the weights so that the first token sees every tone of its text, and each label looks for one."""
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "LayerNorm" not in name:
                weights.zero_()
        for tone in range(len(TONES)):
            model.bert.embeddings.word_embeddings.weight[len(SPECIAL) + tone, tone] = 1.0
        layer = model.bert.encoder.layer[0].attention
        for dense in (layer.self.value, layer.output.dense, model.bert.pooler.dense):
            dense.weight.copy_(torch.eye(SIZES["hidden_size"]))
        for label in range(labels):
            # Labels for the same tone are nearly alike, as they are in real models.
            model.classifier.weight[label, label % len(TONES)] = 2.0 - 0.1 * (label // len(TONES))
