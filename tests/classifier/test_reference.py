"""The runtime that ships says what `transformers` says with the same weights, and does without it."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bench.judging import equal_labels, farthest, judged_in_batches, real_texts
from classifier.bundle import Bundle, read_bundle
from classifier.encoder import Packed
from classifier.model import Classifier
from classifier.reference import Reference

ROOT = Path(__file__).parents[2]
FEW = 300
ALONE = """
import sys
from classifier.model import Classifier
Classifier.load().classify(["the app is broken", "thanks!"])
print(sorted(name for name in sys.modules if name.partition(".")[0] in ("transformers", "sympy")))
"""


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """The files that ship."""
    return read_bundle()


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """The model as it ships."""
    return Classifier.load()


@pytest.fixture(scope="module")
def reference(bundle: Bundle) -> Reference:
    """The same weights in `BertModel`."""
    return Reference(bundle)


def test_packed_says_what_the_reference_says(
    bundle: Bundle, classifier: Classifier, reference: Reference
) -> None:
    """Logits to 1e-4 and every label, on real posts, where the reference fills batches up and we do not."""
    texts = real_texts(FEW)
    ours = judged_in_batches(classifier, texts, 17)
    theirs = [logits for first in range(0, len(texts), 32) for logits in reference.logits(texts[first:][:32])]
    assert farthest(ours, theirs) < 1e-4
    assert equal_labels(bundle, ours, theirs) == dict.fromkeys(bundle.heads, len(texts))


def test_company_in_a_batch_flips_no_label(bundle: Bundle, classifier: Classifier) -> None:
    """One at a time or many at once, in whatever order."""
    texts = real_texts(FEW)
    alone = judged_in_batches(classifier, texts, 1)
    backwards = judged_in_batches(classifier, texts[::-1], 32)[::-1]
    assert equal_labels(bundle, alone, backwards) == dict.fromkeys(bundle.heads, len(texts))


def test_the_encoder_computes_what_transformers_computes(
    classifier: Classifier, reference: Reference
) -> None:
    """Our plain-torch BERT, packed and prepacked, is BertModel to 1e-4 for every token of real posts."""
    ids = reference.read(real_texts(40))
    packed = Packed.of(ids)
    with torch.inference_mode():
        ours = classifier._judge.encoder(packed).split(packed.lengths)
        theirs = [reference.encoder(torch.tensor([one])).last_hidden_state[0] for one in ids]
    assert max(float((mine - other).abs().max()) for mine, other in zip(ours, theirs, strict=True)) < 1e-4


def test_loading_and_judging_import_no_transformers() -> None:
    """It takes longer to import than all the rest to start; the same holds for what torch loads on demand."""
    answer = subprocess.run(
        [sys.executable, "-c", ALONE], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert answer.stdout.strip() == "[]"
