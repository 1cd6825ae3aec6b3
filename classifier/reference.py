"""The model as `transformers` computes it: what the packed runtime is measured and tested against.

Nothing that serves imports this module: `transformers` takes longer to import than Heard to start.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertConfig, BertModel

from classifier.bundle import Bundle, Logits
from classifier.encoder import Padded
from classifier.text import model_input

_NAMES = {
    "mix": "attention.output.dense",
    "mix_norm": "attention.output.LayerNorm",
    "widen": "intermediate.dense",
    "narrow": "output.dense",
    "norm": "output.LayerNorm",
}


class Reference:
    """A bundle in `BertModel`, each batch padded to its longest text, under the same heads."""

    def __init__(self, bundle: Bundle) -> None:
        weights = {name: torch.from_numpy(array) for name, array in bundle.weights.items()}
        self.encoder = bert(bundle.shape, weights)
        self._heads = {
            name: (weights[f"heads.{name}.weight"], weights[f"heads.{name}.bias"]) for name in bundle.heads
        }
        self._tokenizer = Tokenizer.from_str(bundle.tokenizer)
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(bundle.longest)

    @property
    def flop_per_token(self) -> int:
        """Multiplications and additions in the linear layers of the encoder, for one token."""
        linears = (part for part in self.encoder.modules() if isinstance(part, nn.Linear))
        return 2 * sum(linear.weight.numel() for linear in linears)

    def read(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of each text, prepared as for the packed runtime."""
        return [self._tokenizer.encode(model_input(text)).ids for text in texts]

    def judge(self, ids: Sequence[Sequence[int]]) -> dict[str, Tensor]:
        """The logits of each head, in one pass over all texts."""
        with torch.inference_mode():
            batch = Padded.of(ids)
            hidden = self.encoder(input_ids=batch.ids, attention_mask=batch.mask.long()).last_hidden_state
            features = torch.cat(batch.first_and_mean(hidden), dim=1)
            return {name: functional.linear(features, *head) for name, head in self._heads.items()}

    def logits(self, texts: Sequence[str]) -> list[Logits]:
        """What the heads say of each text, all of them in one batch."""
        rows = {name: values.tolist() for name, values in self.judge(self.read(texts)).items()}
        return [{name: values[place] for name, values in rows.items()} for place in range(len(texts))]


def bert(shape: Mapping[str, Any], weights: Mapping[str, Tensor]) -> nn.Module:
    """`BertModel` with the weights of our `Judge`."""
    config = BertConfig(**{**shape, "type_vocab_size": 2})
    model: nn.Module = BertModel(config, add_pooling_layer=False)
    model.load_state_dict(_as_bert(weights, shape["num_hidden_layers"]), assign=True)
    return model.requires_grad_(False).eval()


def _as_bert(weights: Mapping[str, Tensor], layers: int) -> dict[str, Tensor]:
    """Our encoder's weights under BERT's own names."""
    ours = {name.removeprefix("encoder."): array for name, array in weights.items()}
    sentence = ours["sentence"]
    theirs = {
        "embeddings.word_embeddings.weight": ours["words.weight"],
        "embeddings.position_embeddings.weight": ours["places.weight"],
        "embeddings.token_type_embeddings.weight": torch.stack([sentence, torch.zeros_like(sentence)]),
        "embeddings.LayerNorm.weight": ours["norm.weight"],
        "embeddings.LayerNorm.bias": ours["norm.bias"],
    }
    for number in range(layers):
        for kind in ("weight", "bias"):
            theirs.update(_layer_as_bert(ours, number, kind))
    return theirs


def _layer_as_bert(ours: Mapping[str, Tensor], number: int, kind: str) -> dict[str, Tensor]:
    layer = f"encoder.layer.{number}"
    named = {
        f"{layer}.{their}.{kind}": ours[f"layers.{number}.{mine}.{kind}"] for mine, their in _NAMES.items()
    }
    parts = ours[f"layers.{number}.qkv.{kind}"].chunk(3)
    for part, value in zip(("query", "key", "value"), parts, strict=True):
        named[f"{layer}.attention.self.{part}.{kind}"] = value
    return named
