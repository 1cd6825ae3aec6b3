"""The measuring tape: every head on its own rows, beside baselines that answered for the same rows."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from casework.classification import Classification, Confidence, Intent, Sentiment, Urgency
from classifier.baselines import Training
from classifier.evaluate import Evaluation, evaluate
from classifier.evaluation_text import as_json, rendered
from classifier.examples import HEADS
from classifier.labelled import LabelledRow, read_labelled
from classifier.model import Classifier

DATA = Path("/work/shared/data")
NOTHING = Training((), "there are no training rows")
FIGURES = {"accuracy", "macro_f1", "macro_recall"}


class Answering:
    """Judges by a table; what does not stand there is neutral chatter."""

    name = "by-table"

    def __init__(self, table: Mapping[str, Classification] | None = None) -> None:
        self.table = table or {}
        self.asked: list[int] = []

    def classify(self, texts: Sequence[str]) -> list[Classification]:
        """One answer a text, in order."""
        self.asked.append(len(texts))
        return [self.table.get(text, _verdict()) for text in texts]


def _verdict(
    sentiment: Sentiment = Sentiment.NEUTRAL,
    intent: Intent = Intent.OTHER,
    urgency: Urgency = Urgency.LOW,
    sure: float = 0.5,
) -> Classification:
    return Classification(sentiment, intent, urgency, Confidence(sure, sure, sure))


def _row(text: str, source: str = "here", **labels: str) -> LabelledRow:
    numbers = {head: [str(name) for name in HEADS[head]].index(label) for head, label in labels.items()}
    return LabelledRow(text, source, numbers)


def _measured() -> Evaluation:
    table = {
        "a": _verdict(Sentiment.NEGATIVE, Intent.BUG, Urgency.CRITICAL, 0.9),
        "b": _verdict(Sentiment.NEGATIVE, Intent.COMPLAINT, Urgency.NORMAL, 0.8),
        "c": _verdict(Sentiment.POSITIVE, Intent.QUESTION, Urgency.LOW, 0.7),
    }
    rows = [
        _row("a", sentiment="negative", intent="bug", urgency="high"),
        _row("b", sentiment="neutral", intent="complaint", urgency="high"),
        _row("c", "there", sentiment="positive", intent="other"),
        _row("d", "there", sentiment="neutral"),
    ]
    return evaluate(Answering(table), rows, NOTHING)


def test_the_figures_are_what_a_hand_works_out() -> None:
    """Four rows: three of four feelings right, two of three intents, one of two urgencies."""
    sentiment, intent, urgency = _measured().heads.values()

    assert (sentiment.n, intent.n, urgency.n) == (4, 3, 2)
    assert sentiment.figures["accuracy"] == 0.75
    assert sentiment.figures["macro_f1"] == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    assert sentiment.figures["macro_recall"] == pytest.approx((1 + 0.5 + 1) / 3)
    assert sentiment.labels["negative"].precision == 0.5
    assert sentiment.labels["neutral"].n == 2
    assert sentiment.surest == 1.0
    assert sentiment.coverage == {0.90: 0.25, 0.95: 0.25}
    assert sentiment.calibration_error == pytest.approx((0.1 + 0.8 + 0.3 + 0.5) / 4)
    assert intent.figures["macro_f1"] == pytest.approx((1 + 1 + 0 + 0) / 4)
    assert intent.figures["macro_f1_main4"] == pytest.approx((1 + 0 + 1 + 0) / 4)
    assert sentiment.sources["there"].accuracy == 1.0
    assert sentiment.sources["here"].majority == 0.5
    assert sentiment.sources["here"].macro_f1 == pytest.approx((2 / 3 + 0) / 2)


def test_an_urgency_of_critical_counts_as_high() -> None:
    """What the rules raised to critical is right where the row says high."""
    urgency = _measured().heads["urgency"]

    assert urgency.figures["accuracy"] == 0.5
    assert urgency.figures["recall_high"] == 0.5
    assert urgency.figures["precision_high"] == 1.0
    assert urgency.figures["needs_reply_f1"] == 1.0
    assert urgency.figures["macro_f1_3"] == pytest.approx((0 + 0 + 2 / 3) / 3)
    assert urgency.figures["macro_f1"] == pytest.approx((0 + 2 / 3) / 2)


def test_a_head_without_labelled_rows_is_left_out() -> None:
    """There is nothing to say of it."""
    measured = evaluate(Answering(), [_row("a", intent="other")], NOTHING)

    assert list(measured.heads) == ["intent"]
    assert "critical" not in rendered(measured)


def test_the_json_has_the_promised_shape() -> None:
    """Whatever reads it finds each key of each head, and plain numbers of four places."""
    shown = json.loads(json.dumps(as_json(_measured())))

    assert (shown["n"], shown["model"]) == (4, "by-table")
    for head, score in shown["heads"].items():
        baselines = {"majority", "keywords", "tfidf"} | ({"vader"} if head == "sentiment" else set())
        assert score.keys() >= FIGURES | {"n", "ece", "most_confident_30"}
        assert list(score["labels"]) == list(HEADS[head])
        assert all(one.keys() == {"precision", "recall", "f1", "n"} for one in score["labels"].values())
        assert score["coverage"].keys() == {"0.90", "0.95"}
        assert score["baselines"].keys() == baselines
        assert score["baselines"]["majority"].keys() >= FIGURES
        assert score["baselines"]["tfidf"] is None
        assert score["not_measured"] == {"tfidf": "there are no training rows"}
        assert score["intervals"].keys() >= FIGURES
        for source in score["sources"].values():
            assert source.keys() == {"n", "accuracy", "macro_f1", "majority", "baselines"}
            assert source["baselines"].keys() == baselines
            assert source["baselines"]["tfidf"] is None
    assert "macro_f1_main4" in shown["heads"]["intent"]
    assert shown["heads"]["urgency"].keys() >= {
        "macro_f1_3",
        "recall_high",
        "precision_high",
        "needs_reply_f1",
    }
    assert shown["heads"]["sentiment"]["macro_f1"] == 0.7778


def test_every_interval_holds_its_figure() -> None:
    """On few rows and on rare labels too."""
    for head in _measured().heads.values():
        for name, (low, high) in head.intervals.items():
            assert 0 <= low <= head.figures[name] <= high <= 1


def test_texts_are_judged_in_portions_and_their_number_is_told() -> None:
    """So that a long file shows how far it is."""
    judging, heard = Answering(), list[int]()

    evaluate(judging, [_row(f"post {n}", sentiment="neutral") for n in range(300)], NOTHING, heard.append)

    assert heard == judging.asked
    assert sum(heard) == 300
    assert len(heard) > 2


def test_the_table_says_what_was_measured_and_what_was_not() -> None:
    """Model beside baselines, by label and by source, and why one is missing."""
    table = rendered(_measured())

    assert table.startswith("by-table, measured on 4 rows")
    assert "An urgency of critical counts as high." in table
    assert "sentiment, 4 rows" in table
    assert "0.750 [" in table
    assert "TF-IDF: not measured: there are no training rows" in table
    assert all(words in table for words in ("VADER", "accuracy of surest 30%", "90% right on", "there"))
    assert "AI models" not in table
    assert max(len(line) for line in table.splitlines()) <= 110


def test_a_baseline_that_beats_the_model_is_named_at_the_end() -> None:
    """With both figures, and whether it may be chance; where none does, that is said."""
    rows = [_row(f"I love it {n}", sentiment="positive") for n in range(40)]
    beaten = rendered(evaluate(Answering(), rows, NOTHING)).splitlines()
    assert "VADER beats the model on sentiment by accuracy: 1.000 against 0.000." in beaten[-9:]
    few = rendered(evaluate(Answering(), [_row("love", sentiment="positive"), *_others()], NOTHING))
    assert (
        "keywords beats the model on sentiment by accuracy: 1.000 against 0.667, which may be chance." in few
    )

    good = Answering({row.text: _verdict(Sentiment.POSITIVE) for row in rows})
    assert rendered(evaluate(good, rows, NOTHING)).endswith(
        "No baseline that was measured beats the model on any head."
    )


def test_a_baseline_can_beat_the_model_by_a_figure_of_one_head_alone() -> None:
    """Whether a reply is needed, say, where the urgencies themselves are told no better."""
    row = _row("How do I change my seat?", urgency="high")

    table = rendered(evaluate(Answering(), [row], NOTHING))

    assert "keywords beats the model on urgency by F1 of needs a reply: 1.000 against 0.000." in table
    assert "urgency by accuracy" not in table.replace("majority beats the model on urgency by accuracy", "")


def _others() -> list[LabelledRow]:
    return [_row("the bus", sentiment="neutral"), _row("the train", sentiment="neutral")]


def test_brandgolds_labels_are_said_to_be_by_ai_models() -> None:
    """Its sources give it away."""
    table = rendered(evaluate(Answering(), [_row("a", "semeval_brand", sentiment="neutral")], NOTHING))

    assert "labels of brandgold are by AI models" in table


def test_of_many_sources_the_table_shows_the_largest() -> None:
    """JSON has them all."""
    rows = [_row("a", f"source {n:02}", sentiment="neutral") for n in range(30)]
    measured = evaluate(Answering(), [*rows, _row("a", "source 29", sentiment="neutral")], NOTHING)

    table = rendered(measured)

    assert "source 29" in table
    assert "source 28" not in table
    assert "and 18 smaller sources" in table
    assert len(measured.heads["sentiment"].sources) == 30


def test_rows_that_the_baselines_could_have_learned_are_left_out_of_their_training() -> None:
    """And the table says how many."""
    rows = [_row("love it", sentiment="positive"), _row("hate it", sentiment="negative")]
    measured = evaluate(Answering(), rows[:1], Training.of_rows(rows))

    assert measured.left_out == 1
    assert measured.heads["sentiment"].trained_on == 1
    assert "1 row of the training sets" in rendered(measured)


@pytest.mark.skipif(not (DATA / "brandgold").exists(), reason="the labelled mentions are not on this machine")
def test_the_model_beats_a_bag_of_words_on_every_head() -> None:
    """On brands that are new to it but for one, with the same training rows, by macro-F1."""
    rows = read_labelled([DATA / "brandgold" / "validation.jsonl.gz"])
    mentions = Training.of_rows(read_labelled([DATA / "brandgold" / "train.jsonl.gz"]))

    measured = evaluate(Classifier.load(), rows, mentions)

    assert list(measured.heads) == list(HEADS)
    for head in measured.heads.values():
        assert head.n == 254
        assert head.figures["macro_f1"] > head.baselines["tfidf"].figures["macro_f1"]
        assert head.figures["macro_f1"] > head.baselines["keywords"].figures["macro_f1"]
