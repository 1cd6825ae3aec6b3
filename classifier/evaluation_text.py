"""Shows an evaluation: as a table for a terminal, or as plain values for JSON."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from classifier.baselines import NAMES
from classifier.evaluate import SURE_SHARE, Evaluation, HeadScore

_LABELLED_BY_AI = frozenset({"ibm_customer_care", "semeval_brand"})
_SOURCES_SHOWN = 12
_LONGEST_SOURCE = 24
_WORDS = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "macro_recall": "macro-recall",
    "macro_f1_main4": "F1 of the main four",
    "macro_f1_3": "F1 of all three",
    "recall_high": "recall of high",
    "precision_high": "precision of high",
    "needs_reply_f1": "F1 of needs a reply",
    "majority": "majority",
    "keywords": "keywords",
    "vader": "VADER",
    "tfidf": "TF-IDF",
}


def as_json(evaluation: Evaluation) -> dict[str, object]:
    """The evaluation as plain values; a baseline that was not measured is null."""
    return {
        "n": evaluation.n,
        "model": evaluation.model,
        "training_rows_left_out": evaluation.left_out,
        "heads": {head: _head_as_json(head, score) for head, score in evaluation.heads.items()},
    }


def _head_as_json(head: str, score: HeadScore) -> dict[str, object]:
    names = _baselines_of(head)
    return {
        "n": score.n,
        **_rounded(score.figures),
        "ece": _plain(score.calibration_error),
        "labels": {
            name: {**_rounded({"precision": one.precision, "recall": one.recall, "f1": one.f1}), "n": one.n}
            for name, one in score.labels.items()
        },
        "sources": {
            name: {
                "n": one.n,
                **_rounded({"accuracy": one.accuracy, "macro_f1": one.macro_f1, "majority": one.majority}),
                "baselines": {other: _or_null(one.baselines.get(other)) for other in names},
            }
            for name, one in score.sources.items()
        },
        "most_confident_30": _plain(score.surest),
        "coverage": {f"{wanted:.2f}": _plain(share) for wanted, share in score.coverage.items()},
        "baselines": {name: _baseline_as_json(score, name) for name in names},
        "not_measured": dict(score.unmeasured),
        "trained_on": score.trained_on,
        "intervals": _edges(score.intervals),
    }


def _baseline_as_json(score: HeadScore, name: str) -> dict[str, object] | None:
    measured = score.baselines.get(name)
    if measured is None:
        return None
    return {**_rounded(measured.figures), "model_is_better_by": _edges(measured.gain)}


def _baselines_of(head: str) -> list[str]:
    return [name for name in NAMES if name != "vader" or head == "sentiment"]


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: _plain(value) for name, value in values.items()}


def _edges(intervals: Mapping[str, tuple[float, float]]) -> dict[str, list[float]]:
    return {name: [_plain(edge) for edge in edges] for name, edges in intervals.items()}


def _or_null(value: float | None) -> float | None:
    return None if value is None else _plain(value)


def _plain(value: float) -> float:
    return round(float(value), 4)


def rendered(evaluation: Evaluation) -> str:
    """The evaluation as text for a terminal."""
    lines = [
        f"{evaluation.model}, measured on {_rows(evaluation.n)}",
        "In brackets 95 % intervals: Wilson's for accuracy, the bootstrap's for the rest.",
        *_warnings(evaluation),
    ]
    for head, score in evaluation.heads.items():
        lines += ["", *_head_lines(head, score)]
    return "\n".join([*lines, "", *_verdict(evaluation)])


def _warnings(evaluation: Evaluation) -> Iterator[str]:
    if "urgency" in evaluation.heads:
        yield "An urgency of critical counts as high."
    sources = {source for score in evaluation.heads.values() for source in score.sources}
    if sources & _LABELLED_BY_AI:
        yield "The labels of brandgold are by AI models of one family, so they agree more than people would."
    if evaluation.left_out:
        yield f"{_rows(evaluation.left_out)} of the training sets are measured here and taught no baseline."


def _head_lines(head: str, score: HeadScore) -> Iterator[str]:
    measured = list(score.baselines)
    title = f"{head}, {_rows(score.n)}"
    yield _line(title, "model", (_WORDS[name] for name in measured))
    for name, value in score.figures.items():
        others = (f"{score.baselines[other].figures[name]:.3f}" for other in measured)
        yield _line(f"  {_WORDS[name]}", _with_interval(value, score.intervals.get(name)), others)
    yield _line("  calibration error", f"{score.calibration_error:.3f}")
    yield _line(f"  accuracy of surest {SURE_SHARE:.0%}", f"{score.surest:.3f}")
    for wanted, share in score.coverage.items():
        yield _line(f"  {wanted:.0%} right on", f"the surest {share:.1%}")
    yield _line("  by label", "precision recall    F1     rows")
    for label, one in score.labels.items():
        yield _line(f"    {label}", f"{one.precision:.3f}     {one.recall:.3f}     {one.f1:.3f}  {one.n}")
    yield from _source_lines(score, measured)
    if "tfidf" in measured:
        yield f"  TF-IDF learned from {_rows(score.trained_on)}."
    for name, why in score.unmeasured.items():
        yield f"  {_WORDS[name]}: not measured: {why}"


def _source_lines(score: HeadScore, measured: Sequence[str]) -> Iterator[str]:
    yield _line("  accuracy by source", "model  F1     largest  rows", (_WORDS[name] for name in measured))
    largest = sorted(score.sources.items(), key=lambda item: -item[1].n)
    for source, one in largest[:_SOURCES_SHOWN]:
        yield _line(
            f"    {source[:_LONGEST_SOURCE]}",
            f"{one.accuracy:.3f}  {one.macro_f1:.3f}  {one.majority:.3f}    {one.n}",
            (f"{one.baselines[name]:.3f}" for name in measured),
        )
    if len(largest) > _SOURCES_SHOWN:
        yield f"    and {len(largest) - _SOURCES_SHOWN} smaller sources, which --json has"


def _line(title: str, model: str, others: Iterable[str] = ()) -> str:
    return f"{title:<30}{model:<32}{''.join(f'{other:<10}' for other in others)}".rstrip()


def _with_interval(value: float, interval: tuple[float, float] | None) -> str:
    return f"{value:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else f"{value:.3f}"


def _verdict(evaluation: Evaluation) -> list[str]:
    lines = [line for head, score in evaluation.heads.items() for line in _beaten(head, score)]
    return lines or ["No baseline that was measured beats the model on any head."]


def _beaten(head: str, score: HeadScore) -> Iterator[str]:
    for name, other in score.baselines.items():
        for figure, ours in score.figures.items():
            theirs = other.figures[figure]
            if theirs > ours:
                chance = ", which may be chance" if other.gain[figure][1] >= 0 else ""
                yield (
                    f"{_WORDS[name]} beats the model on {head} by {_WORDS[figure]}: "
                    f"{theirs:.3f} against {ours:.3f}{chance}."
                )


def _rows(n: int) -> str:
    return f"{n:,} row{'' if n == 1 else 's'}"
