"""Which language a post is in: foreign posts are told apart, English ones are left alone."""

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from classifier.language import language_of
from classifier.text import readable

DATA = Path("/work/shared/data")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Where is my parcel? It should have come on Monday", "en"),
        ("ok", "en"),
        ("", "en"),
        ("😂😂😂", "en"),
        ("@user http #love", "en"),
        ("gr8 m8 lol tbh idk smh", "en"),
        ("Wo bleibt mein Paket? Es sollte am Montag kommen", "de"),
        ("¿Dónde está mi paquete? Debía llegar el lunes", "es"),
        ("Où est mon colis ? Il devait arriver lundi", "fr"),
        ("Dov'è il mio pacco? Doveva arrivare lunedì", "it"),
        ("Onde está a minha encomenda? Devia chegar na segunda-feira", "pt"),
        ("Jeg har ventet på pakken siden mandag og får ikke svar, hva skjer?", "no"),
        ("mera parcel abhi tak nahi aaya, kya karu?", "hi"),
        ("मेरा पार्सल अभी तक नहीं आया", "hi"),
        ("أين طردي؟ كان يجب أن يصل يوم الاثنين 😂😂😂😂", "ar"),
        ("Где моя посылка?", "ru"),
        ("Πού είναι το δέμα μου;", "el"),
        ("소포가 어디에 있나요?", "ko"),
        ("荷物はどこですか", "ja"),
        ("我的包裹在哪里", "zh"),
        ("พัสดุของฉันอยู่ที่ไหน", "th"),
        ("איפה החבילה שלי", "he"),
        ("ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ", "und"),
    ],
)
def test_the_language_of_a_post_is_told(text: str, code: str) -> None:
    """By its script where that is enough, by its words otherwise; what is too short counts as English."""
    assert language_of(readable(text)) == code


@pytest.mark.skipif(not DATA.exists(), reason="the labelled sets are not on this machine")
def test_most_foreign_posts_are_found_and_hardly_an_english_one_is_called_foreign() -> None:
    """On real posts of eight languages (Hindi's set mixes Hindi in Latin letters with English)."""
    found: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    for row in _rows(DATA / "xlmt_sentiment" / "test.jsonl.gz")[::4]:
        asked[row["lang"]] += 1
        found[row["lang"]] += language_of(readable(row["text"])) != "en"
    shares = {name: found[name] / asked[name] for name in asked}
    assert all(shares[name] >= 0.95 for name in ("arabic", "french", "italian", "spanish")), shares
    assert all(shares[name] >= 0.85 for name in ("german", "portuguese")), shares
    assert shares["hindi"] >= 0.3, shares
    assert shares["english"] <= 0.01, shares
    real = _rows(DATA / "brandgold" / "train.jsonl.gz")
    assert sum(language_of(readable(row["text"])) != "en" for row in real) == 0


def _rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
