"""The optimiser's loop: it learns, one seed gives one result, and a run that was cut off goes on."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from classifier import learning
from classifier.encoder import Judge, Packed, Shape
from classifier.learning import Dropout, Item, Learner, Stage, Told, label_weights

SHAPE = Shape(
    vocab_size=20,
    hidden_size=16,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=32,
    max_position_embeddings=16,
)
STAGE = Stage(epochs=4, batch=4, encoder_rate=3e-3, head_rate=3e-3)
# The token 5 makes a text good, 6 makes it bad.
ITEMS = [
    Item([1, 5 if good else 6, 2 + n % 3], {"mood": (float(good), float(not good))})
    for n in range(20)
    for good in (True, False)
]


@pytest.fixture(autouse=True)
def in_32_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """On every machine the same arithmetic."""
    monkeypatch.setattr(learning, "computing_type", lambda _device: torch.float32)


def _judge(seed: int = 3) -> Judge:
    torch.manual_seed(seed)
    return Judge(SHAPE, {"mood": 2}, Dropout(0.1))


def _learner(judge: Judge, told: list[Told] | None = None) -> Learner:
    names = frozenset(name for name, _ in judge.named_parameters() if "words" not in name)
    return Learner(judge, names, tell=(told if told is not None else []).append)


def _same(one: Judge, other: Judge) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_what_the_items_say_is_learned_and_what_is_frozen_stays() -> None:
    """After four epochs the two kinds of text are told apart; the word vectors are as they were."""
    judge, told = _judge(), list[Told]()
    words = judge.encoder.words.weight.detach().clone()
    _learner(judge, told).run(ITEMS, STAGE, seed=1)
    with torch.inference_mode():
        logits, _ = judge(Packed.of([[1, 5, 2], [1, 6, 3]]))
    assert logits["mood"].argmax(1).tolist() == [0, 1]
    assert torch.equal(judge.encoder.words.weight, words)
    assert (told[-1].step, told[-1].steps) == (40, 40)
    assert told[-1].loss < told[0].loss


def test_one_seed_gives_one_set_of_weights() -> None:
    """And another seed another."""
    judges = [_judge() for _ in range(3)]
    for judge, seed in zip(judges, (1, 1, 2), strict=True):
        _learner(judge).run(ITEMS, STAGE, seed=seed)
    assert _same(judges[0], judges[1])
    assert not _same(judges[0], judges[2])


class _CutOffError(Exception):
    """The machine went away."""


def test_a_run_that_was_cut_off_goes_on_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour's work is not lost; the end is that of a run in one go, to the bit."""
    monkeypatch.setattr(learning, "_CHECKPOINT_EVERY_S", -1.0)
    whole, halved = _judge(), _judge()
    _learner(whole).run(ITEMS, STAGE, seed=1)

    def cut_off(told: Told) -> None:
        if told.step == 17:
            raise _CutOffError

    names = _learner(halved).learns
    with pytest.raises(_CutOffError):
        Learner(halved, names, tell=cut_off).run(
            ITEMS, STAGE, seed=1, checkpoint=tmp_path / "tone.safetensors"
        )
    told: list[Told] = []
    again = _judge()
    Learner(again, names, tell=told.append).run(
        ITEMS, STAGE, seed=1, checkpoint=tmp_path / "tone.safetensors"
    )
    assert told[0].step == 17
    assert _same(whole, again)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("other", ["seed", "stage", "items"])
def test_a_checkpoint_of_another_run_is_not_gone_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    """Half of one training and half of another would be a model nobody can repeat."""
    monkeypatch.setattr(learning, "_CHECKPOINT_EVERY_S", -1.0)
    kept = tmp_path / "tone.safetensors"

    def cut_off(told: Told) -> None:
        if told.step == 5:
            raise _CutOffError

    judge = _judge()
    with pytest.raises(_CutOffError):
        Learner(judge, _learner(judge).learns, tell=cut_off).run(ITEMS, STAGE, seed=1, checkpoint=kept)
    told: list[Told] = []
    items: Sequence[Item] = ITEMS[:-1] if other == "items" else ITEMS
    stage = Stage(epochs=3, batch=4, encoder_rate=3e-3, head_rate=3e-3) if other == "stage" else STAGE
    Learner(judge, _learner(judge).learns, tell=told.append).run(
        items, stage, seed=2 if other == "seed" else 1, checkpoint=kept
    )
    assert told[0].step == 1


def test_a_text_counts_for_the_heads_that_know_it_only() -> None:
    """A tweet with a mood teaches the mood; what nothing is known of is left as it was."""
    torch.manual_seed(3)
    judge = Judge(SHAPE, {"mood": 2, "haste": 3})
    before = judge.heads.get_parameter("haste.weight").detach().clone()
    names = frozenset(name for name, _ in judge.named_parameters())
    Learner(judge, names).run(ITEMS, Stage(1, 4, 1e-3, 1e-3, weight_decay=0.0), seed=1)
    assert torch.equal(judge.heads.get_parameter("haste.weight"), before)


def test_an_anchored_text_stays_where_it_was() -> None:
    """Held hard enough, the mean vectors hardly turn although the labels pull."""
    held, free = _judge(), _judge()
    with torch.inference_mode():
        _, anchors = held.eval()(Packed.of([item.ids for item in ITEMS]))
    anchored = [
        Item(item.ids, item.targets, item.weight, anchor)
        for item, anchor in zip(ITEMS, anchors.clone(), strict=True)
    ]
    _learner(held).run(anchored, Stage(4, 4, 3e-3, 3e-3, hold=50.0), seed=1)
    _learner(free).run(ITEMS, Stage(4, 4, 3e-3, 3e-3, hold=50.0), seed=1)
    with torch.inference_mode():
        near, far = (
            float(torch.cosine_similarity(judge(Packed.of([item.ids for item in ITEMS]))[1], anchors).mean())
            for judge in (held, free)
        )
    assert near > 0.98
    assert far < near


def test_nothing_to_learn_from_is_said() -> None:
    """An empty list is a mistake of the caller."""
    with pytest.raises(ValueError, match="nothing to learn"):
        _learner(_judge()).run([], STAGE, seed=1)


def test_rare_labels_weigh_more_but_the_mean_weight_is_one() -> None:
    """A label four times as frequent weighs half as much."""
    items = [Item([1], {"haste": (1.0, 0.0, 0.0)})] * 8 + [Item([1], {"haste": (0.0, 0.0, 1.0)})] * 2
    weights = label_weights(items, "haste", balance=0.5)
    assert float(weights[2] / weights[0]) == pytest.approx(2.0)
    assert (8 * float(weights[0]) + 2 * float(weights[2])) / 10 == pytest.approx(1.0)


def test_dropout_drops_about_the_share_and_keeps_the_mean() -> None:
    """Only while learning; afterwards every number passes."""
    dropout, ones = Dropout(0.1), torch.ones(200, 100)
    dropped = dropout(ones)
    assert float((dropped == 0).float().mean()) == pytest.approx(0.1, abs=0.01)
    assert float(dropped.mean()) == pytest.approx(1.0, abs=0.01)
    assert torch.equal(dropout.eval()(ones), ones)
