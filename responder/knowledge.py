"""The knowledge base: the brand's own answers, and which of them fits what a customer wrote, if any.

A wrong answer is worse than none: what fits must be near in meaning, share telling words, and stand
clear of the next best. An article that has expired or lacks the customer's language still competes, so
that its neighbour is not offered in its place.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from casework.errors import HeardError

Embed = Callable[[Sequence[str]], Sequence[Sequence[float]]]
"""Turns texts into vectors of length one; what is meant alike points alike."""

Weights = Callable[[], str]
"""Names the weights that `Embed` uses now: only vectors of the same weights can be compared."""

DEFAULT_LANGUAGE = "en"
"""The language of an article's plain ``reply``; ``reply_nb`` and the like are in the others."""

_REQUIRED = ("id", "title", "questions", "reply")
_OTHERS = ("valid_until", "topics")
_REPLY_IN = re.compile(r"reply_([a-z]{2})")
_FENCE = "---"


class KnowledgeError(HeardError):
    """An article cannot be read; names the file and the line."""

    def __init__(self, path: Path, line: int, why: str) -> None:
        super().__init__(f"{path}, line {line}: {why}")
        self.path = path
        self.line = line


@dataclass(frozen=True, slots=True)
class Article:
    """One matter that the brand has an answer to.

    ``replies`` holds the answer by language, usable as it stands; ``body`` the facts behind it, for the
    person who approves. After ``valid_until`` it is never cited.
    """

    id: str
    title: str
    questions: tuple[str, ...]
    replies: Mapping[str, str]
    topics: tuple[str, ...] = ()
    valid_until: date | None = None
    body: str = ""

    def holds_on(self, day: date) -> bool:
        """Whether the article may still be cited on that day."""
        return self.valid_until is None or day <= self.valid_until


@dataclass(frozen=True, slots=True)
class Match:
    """The article that fits; ``similarity`` of 0 to 1 says how near it is, ``lead`` how clear of the next."""

    article: Article
    similarity: float
    lead: float


def load_articles(folder: Path) -> tuple[Article, ...]:
    """Every article of the folder, by file name.

    Raises:
        KnowledgeError: one of them cannot be read, or two have the same id.
    """
    articles: list[Article] = []
    seen: set[str] = set()
    for path in sorted(folder.glob("*.md")):
        article = _load_article(path)
        if article.id in seen:
            raise KnowledgeError(path, 2, f"another article is {article.id} already")
        seen.add(article.id)
        articles.append(article)
    return tuple(articles)


def _load_article(path: Path) -> Article:
    matter, body = _split(path)
    fields = _parse(path, matter)
    for name in _REQUIRED:
        if name not in fields:
            raise KnowledgeError(path, 1, f"the article has no {name}")
    for name in fields:
        if name not in (*_REQUIRED, *_OTHERS) and not _REPLY_IN.fullmatch(str(name)):
            raise KnowledgeError(path, _line(fields, name), f"nobody knows what {name!r} means here")
    return Article(
        id=_text(path, fields, "id"),
        title=_text(path, fields, "title"),
        questions=_texts(path, fields, "questions"),
        replies=_replies(path, fields),
        topics=_texts(path, fields, "topics") if fields.get("topics") else (),
        valid_until=_day(path, fields),
        body=body.strip(),
    )


def _split(path: Path) -> tuple[str, str]:
    """The front matter and the text after it."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise KnowledgeError(path, 1, "the file is not UTF-8 text") from error
    if not lines or lines[0].strip() != _FENCE:
        raise KnowledgeError(path, 1, f"the article must begin with {_FENCE}, then its id, title and so on")
    ends = (number for number, line in enumerate(lines[1:], 1) if line.strip() == _FENCE)
    end = next(ends, None)
    if end is None:
        raise KnowledgeError(path, len(lines), f"a line {_FENCE} must end the part with id, title and so on")
    # The fence's line is kept empty, so that the parser's line numbers are the file's.
    return "\n".join(("", *lines[1:end])), "\n".join(lines[end + 1 :])


def _parse(path: Path, matter: str) -> CommentedMap:
    try:
        fields = YAML(typ="rt").load(matter)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise KnowledgeError(path, line, error.problem or "this is not YAML") from error
    except YAMLError as error:
        raise KnowledgeError(path, 1, "this is not YAML") from error
    if not isinstance(fields, CommentedMap):
        raise KnowledgeError(path, 1, "the article needs an id, a title, questions and a reply")
    return fields


def _line(fields: CommentedMap, name: str) -> int:
    return int(fields.lc.key(name)[0]) + 1


def _text(path: Path, fields: CommentedMap, name: str) -> str:
    value: Any = fields[name]
    if not isinstance(value, str) or not value.strip():
        raise KnowledgeError(path, _line(fields, name), f"{name} must be a text")
    return value.strip()


def _texts(path: Path, fields: CommentedMap, name: str) -> tuple[str, ...]:
    value: Any = fields[name]
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise KnowledgeError(path, _line(fields, name), f"{name} must be a list of texts")
    return tuple(str(item).strip() for item in value)


def _replies(path: Path, fields: CommentedMap) -> dict[str, str]:
    replies = {DEFAULT_LANGUAGE: _text(path, fields, "reply")}
    for name in fields:
        if found := _REPLY_IN.fullmatch(str(name)):
            replies[found.group(1)] = _text(path, fields, name)
    return replies


def _day(path: Path, fields: CommentedMap) -> date | None:
    value: Any = fields.get("valid_until")
    if value is None or type(value) is date:
        return value
    raise KnowledgeError(path, _line(fields, "valid_until"), "valid_until must be a day such as 2026-10-31")


# ── which one fits ───────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Thresholds:
    """How near is near enough, 0 to 1; tuned on the demo's day towards nothing rather than a wrong answer."""

    similarity: float = 0.52
    lead: float = 0.05


# Nearness in meaning alone takes a parrot for a cat and reads Norwegian poorly; words alone miss whoever
# puts it differently. The shares were tuned together with the thresholds.
_MEANING, _KNOWN_WORDS, _ONE_QUESTION = 1.0, 0.3, 0.5
_ALL = _MEANING + _KNOWN_WORDS + _ONE_QUESTION

_WORD = re.compile(r"[^\W_]+")
_NOT_WORDS = re.compile(r"https?://\S+|@[\w.@-]+")
_STEM = 5
_LONGEST_READ = 1_000
# A single word that the knowledge base happens to know is no proof that the text is about it.
_FEWEST_WORDS = 1.5


def _stems(text: str) -> frozenset[str]:
    """The words by their beginnings, so that "refunded" meets "refund" without a grammar per language."""
    plain = _NOT_WORDS.sub(" ", unicodedata.normalize("NFKC", text).casefold())
    return frozenset(word[:_STEM] for word in _WORD.findall(plain) if len(word) > 1)


def _of_length_one(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: npt.NDArray[np.float64] = vectors / np.where(lengths > 0, lengths, 1.0)
    return scaled


@dataclass(frozen=True, slots=True)
class _Wordings:
    """Every title and question of every article, read once; ``owner`` is the place of its article.

    ``vectors`` are taken from their ``centre``: an encoder that was taught to judge points everything
    about one brand the same way, and only what is left tells the articles apart. ``weights`` made them.
    """

    weights: str
    owner: npt.NDArray[np.intp]
    centre: npt.NDArray[np.float64]
    vectors: npt.NDArray[np.float64]
    stems: tuple[frozenset[str], ...]


class KnowledgeBase:
    """The brand's articles, read once and asked often."""

    def __init__(
        self,
        articles: Sequence[Article],
        embed: Embed,
        *,
        thresholds: Thresholds | None = None,
        weights: Weights = lambda: "",
    ) -> None:
        self._articles = tuple(articles)
        self._embed = embed
        self._weights = weights
        self._thresholds = thresholds or Thresholds()
        self._wordings = self._read_wordings()
        self._words = self._words_of_each_article()
        self._rarity = self._how_rare()

    def __len__(self) -> int:
        return len(self._articles)

    def find(self, text: str, *, language: str, today: date, without: Collection[str] = ()) -> Match | None:
        """The article that answers the text, with a reply in the language; None when none surely does.

        ``without`` names articles that are not to be offered. They, the expired and those without a reply
        in the language still compete: where one of them is nearest, its neighbour is no answer.
        """
        best = self.nearest(text)
        if best is None:
            return None
        near = best.similarity >= self._thresholds.similarity and best.lead >= self._thresholds.lead
        article = best.article
        usable = article.holds_on(today) and language in article.replies and article.id not in without
        return best if near and usable else None

    def nearest(self, text: str) -> Match | None:
        """The nearest article, however far it is; None when there are no articles or no words."""
        if not self._articles or not text.strip():
            return None
        scores = self._scores(text[:_LONGEST_READ])
        order = np.argsort(scores)
        best = float(scores[order[-1]])
        second = float(scores[order[-2]]) if len(order) > 1 else 0.0
        return Match(self._articles[int(order[-1])], similarity=best, lead=best - second)

    def _scores(self, text: str) -> npt.NDArray[np.float64]:
        words = _stems(text)
        asked = self._vector(text)
        meaning = self._wordings.vectors @ _of_length_one(asked - self._wordings.centre)[0]
        one_question = np.array([self._alike(words, stems) for stems in self._wordings.stems])
        known = np.array([self._shared(words, of_article) for of_article in self._words])
        best_of = self._best_of_each_article
        total = _MEANING * best_of(meaning) + _ONE_QUESTION * best_of(one_question) + _KNOWN_WORDS * known
        scores: npt.NDArray[np.float64] = total / _ALL
        return scores

    def _vector(self, text: str) -> npt.NDArray[np.float64]:
        """The text's vector, by the weights that made those of the articles: they may have been swapped."""
        while True:
            asked = np.array(self._embed([text]), dtype=np.float64)
            if self._weights() == self._wordings.weights:
                return asked
            self._wordings = self._read_wordings()

    def _read_wordings(self) -> _Wordings:
        texts = [(at, text) for at, one in enumerate(self._articles) for text in (one.title, *one.questions)]
        while True:
            weights = self._weights()
            vectors = np.array(
                self._embed([text for _, text in texts]) if texts else [[0.0]], dtype=np.float64
            )
            if weights == self._weights():
                break
        return _Wordings(
            weights=weights,
            owner=np.array([at for at, _ in texts], dtype=np.intp),
            centre=vectors.mean(axis=0),
            vectors=_of_length_one(vectors - vectors.mean(axis=0)),
            stems=tuple(_stems(text) for _, text in texts),
        )

    def _best_of_each_article(self, of_wordings: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        best = np.full(len(self._articles), -1.0)
        np.maximum.at(best, self._wordings.owner, of_wordings)
        return best

    def _alike(self, words: frozenset[str], others: frozenset[str]) -> float:
        """The cosine of two sets of words, rare words weighing most."""
        size = math.sqrt(self._weight(words, 2) * self._weight(others, 2))
        return self._weight(words & others, 2) / size if size else 0.0

    def _shared(self, words: frozenset[str], others: frozenset[str]) -> float:
        """How much of what the knowledge base knows of these words is in the others."""
        known = max(self._weight(words, 1), _FEWEST_WORDS * math.log(2 * len(self._articles) + 2))
        return self._weight(words & others, 1) / known

    def _weight(self, words: frozenset[str], power: int) -> float:
        # Sorted, as the sum of floats depends on the order and the order of a set on the process.
        return sum(self._rarity.get(word, 0.0) ** power for word in sorted(words))

    def _words_of_each_article(self) -> tuple[frozenset[str], ...]:
        words: list[set[str]] = [set() for _ in self._articles]
        for at, stems in zip(self._wordings.owner, self._wordings.stems, strict=True):
            words[int(at)] |= stems
        return tuple(map(frozenset, words))

    def _how_rare(self) -> dict[str, float]:
        """How much a word tells: most when a single article uses it, next to nothing when all do."""
        used = Counter(word for words in self._words for word in words)
        return {word: math.log((len(self._articles) + 1) / (count + 0.5)) for word, count in used.items()}
