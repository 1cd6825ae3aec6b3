"""The network: packed, padded and `transformers` compute the same, on any texts."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.encoder import Judge, Packed, Padded, Shape, encoder_weights_from_bert

SHAPE = Shape(
    vocab_size=50,
    hidden_size=24,
    num_hidden_layers=2,
    num_attention_heads=3,
    intermediate_size=48,
    max_position_embeddings=32,
)
texts = st.lists(st.lists(st.integers(1, 49), min_size=1, max_size=20), min_size=1, max_size=8)


@pytest.fixture(scope="module")
def judge() -> Judge:
    """A small network with weights of its own."""
    torch.manual_seed(1)
    return Judge(SHAPE, {"mood": 3, "haste": 2}).eval()


@settings(max_examples=40, deadline=None)
@given(texts=texts)
def test_packed_and_padded_say_the_same(judge: Judge, texts: list[list[int]]) -> None:
    """What learns and what serves are one network, whatever the lengths and the order."""
    with torch.inference_mode():
        packed, mean = judge(Packed.of(texts))
        padded, same_mean = judge(Padded.of(texts))
    for head, logits in packed.items():
        assert torch.allclose(logits, padded[head], atol=1e-5)
    assert torch.allclose(mean, same_mean, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(texts=texts)
def test_company_changes_nothing(judge: Judge, texts: list[list[int]]) -> None:
    """A text alone gives the logits that it gives among others."""
    with torch.inference_mode():
        together, _ = judge(Packed.of(texts))
        alone = [judge(Packed.of([text]))[0] for text in texts]
    for head, logits in together.items():
        assert torch.allclose(logits, torch.cat([one[head] for one in alone]), atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(text=st.lists(st.integers(1, 49), min_size=1, max_size=20), label=st.integers(0, 2))
def test_what_tokens_speak_for_adds_up_to_what_the_text_says(
    judge: Judge, text: list[int], label: int
) -> None:
    """Their mean is what the head makes of the mean vector, above the other labels."""
    with torch.inference_mode():
        batch = Packed.of([text])
        hidden = judge.encoder(batch)
        first, mean = batch.first_and_mean(hidden)
        head = judge.heads["mood"]
        said = (head(torch.cat([first, mean], dim=1)) - head(torch.cat([first, 0 * mean], dim=1)))[0]
        others = torch.cat([said[:label], said[label + 1 :]])
        each = hidden @ judge.speaks_for("mood", label)
    assert each.mean().item() == pytest.approx((said[label] - others.mean()).item(), abs=1e-5)


def test_the_encoder_is_the_one_that_transformers_knows() -> None:
    """A published BERT's weights give its vectors."""
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=50,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=48,
        max_position_embeddings=32,
    )
    torch.manual_seed(2)
    reference = BertModel(config, add_pooling_layer=False).train(False)
    ours = Judge(SHAPE, {"mood": 3}).eval()
    ours.encoder.load_state_dict(encoder_weights_from_bert(reference.state_dict(), 2))
    ids = [4, 7, 9, 30, 2]
    with torch.inference_mode():
        theirs = reference(torch.tensor([ids])).last_hidden_state[0]
        assert torch.allclose(ours.encoder(Packed.of([ids])), theirs, atol=1e-5)
