"""The knowledge base offers the article that answers a question, and nothing rather than a wrong one."""

import json
import textwrap
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import pytest

from responder.knowledge import Article, KnowledgeBase, KnowledgeError, Thresholds, load_articles
from tests.fakes.embedding import embed

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "config" / "demo" / "knowledge"
BUNDLED = ROOT / "classifier" / "bundled"
QUESTIONS = Path(__file__).with_name("questions.jsonl")
DAY = date(2026, 11, 3)

GOOD = """\
    ---
    id: KB-1
    title: "Lost bags"
    topics: [baggage]
    valid_until: 2026-10-31
    questions:
      - "Where is my bag?"
    reply: "It is on its way."
    reply_nb: "Den er på vei."
    ---

    The facts.
    """


def written(folder: Path, text: str, name: str = "KB-1.md") -> Path:
    (folder / name).write_text(textwrap.dedent(text), encoding="utf-8")
    return folder


def an_article(
    article_id: str, *questions: str, valid_until: date | None = None, languages: Sequence[str] = ("en",)
) -> Article:
    return Article(
        id=article_id,
        title=questions[0],
        questions=questions,
        replies=dict.fromkeys(languages, f"The answer of {article_id}."),
        valid_until=valid_until,
    )


BAGS = an_article("BAGS", "Where is my lost suitcase?", "My bag did not arrive", languages=("en", "nb"))
PETS = an_article("PETS", "Can my cat travel in the cabin?", "How do I book my dog?")
OFFER = an_article("OFFER", "Is the autumn offer with free changes still on?", valid_until=date(2026, 10, 31))


@pytest.fixture
def base() -> KnowledgeBase:
    return KnowledgeBase((BAGS, PETS, OFFER), embed)


def found(
    base: KnowledgeBase, text: str, language: str = "en", day: date = DAY, **more: Sequence[str]
) -> str:
    match = base.find(text, language=language, today=day, **more)
    return match.article.id if match else "nothing"


def test_an_article_is_read_with_all_it_says(tmp_path: Path) -> None:
    """Front matter, both replies, the last day it holds and the facts are kept."""
    (article,) = load_articles(written(tmp_path, GOOD))
    assert (article.id, article.title, article.topics) == ("KB-1", "Lost bags", ("baggage",))
    assert article.replies == {"en": "It is on its way.", "nb": "Den er på vei."}
    assert article.body == "The facts."
    assert article.holds_on(date(2026, 10, 31))
    assert not article.holds_on(date(2026, 11, 1))


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("    ---\n    id", "    id", 1, "must begin with ---"),
        ('title: "Lost bags"', 'title: "Lost bags', 7, "line 7"),
        ('title: "Lost bags"', "title: [1, 2]", 3, "title must be a text"),
        ("topics: [baggage]", "topics: baggage", 4, "list of texts"),
        ("topics: [baggage]", "tropics: [baggage]", 4, "tropics"),
        ("2026-10-31", "soon", 5, "a day such as"),
        ('    reply: "It is on its way."\n', "", 1, "no reply"),
        ('reply_nb: "Den er på vei."', 'reply_nb: ""', 9, "reply_nb must be a text"),
    ],
)
def test_a_broken_article_names_its_file_and_line(
    tmp_path: Path, old: str, new: str, line: int, words: str
) -> None:
    """Whoever writes the article can find the place."""
    broken = GOOD.replace(old, new)
    assert broken != GOOD
    with pytest.raises(KnowledgeError, match=words) as error:
        load_articles(written(tmp_path, broken))
    assert error.value.line == line
    assert "KB-1.md" in str(error.value)


def test_an_article_without_an_end_to_its_front_matter_is_refused(tmp_path: Path) -> None:
    """The facts never become part of the front matter."""
    with pytest.raises(KnowledgeError, match="must end"):
        load_articles(written(tmp_path, "---\nid: KB-1\n"))


def test_two_articles_with_one_id_are_refused(tmp_path: Path) -> None:
    """A citation points to one article."""
    written(tmp_path, GOOD)
    with pytest.raises(KnowledgeError, match="already"):
        load_articles(written(tmp_path, GOOD, "KB-2.md"))


def test_a_question_asked_in_the_articles_words_finds_it(base: KnowledgeBase) -> None:
    """The nearest article is offered, whatever handle or link stands around the words."""
    assert found(base, "@auroraair my bag did not arrive https://a.example/x") == "BAGS"
    assert found(base, "How do I book my dog??") == "PETS"


def test_what_no_article_is_about_finds_nothing(base: KnowledgeBase) -> None:
    """Nothing is better than a wrong article."""
    assert found(base, "Who made the music of your new film?") == "nothing"
    assert found(base, "") == "nothing"
    assert found(KnowledgeBase((), embed), "My bag did not arrive") == "nothing"


def test_an_expired_article_is_never_offered_and_neither_is_its_neighbour(base: KnowledgeBase) -> None:
    """On its last day it still holds; a day later its question has no answer."""
    question = "Is the autumn offer with free changes still on?"
    assert found(base, question, day=date(2026, 10, 31)) == "OFFER"
    assert found(base, question, day=date(2026, 11, 1)) == "nothing"


def test_an_article_without_the_customers_language_is_not_offered(base: KnowledgeBase) -> None:
    """Nobody is answered in a language they did not write."""
    assert found(base, "My bag did not arrive", language="nb") == "BAGS"
    assert found(base, "How do I book my dog?", language="nb") == "nothing"


def test_an_article_that_was_rejected_is_not_offered_again(base: KnowledgeBase) -> None:
    """What a person refused does not come back under another number either."""
    assert found(base, "How do I book my dog?", without=("PETS",)) == "nothing"


def test_two_articles_that_fit_alike_are_not_chosen_between() -> None:
    """Without a clear lead a person decides."""
    twins = KnowledgeBase((PETS, an_article("TWIN", *PETS.questions)), embed)
    assert found(twins, "How do I book my dog?") == "nothing"


def test_titles_and_questions_are_read_once() -> None:
    """Asking costs one vector, however many articles there are."""
    calls: list[int] = []

    def counting(texts: Sequence[str]) -> list[list[float]]:
        calls.append(len(texts))
        return embed(texts)

    base = KnowledgeBase((BAGS, PETS), counting)
    found(base, "My bag did not arrive")
    found(base, "How do I book my dog?")
    assert calls == [6, 1, 1]


def test_the_demo_articles_can_all_be_read() -> None:
    """Every shipped article has an English and a Norwegian reply that fit any platform."""
    if not DEMO.exists():
        pytest.skip("the demo's knowledge base is not here")
    articles = load_articles(DEMO)
    assert len(articles) == 25
    assert all({"en", "nb"} <= set(article.replies) for article in articles)


def _bundled() -> Callable[[Sequence[str]], Sequence[Sequence[float]]]:
    if not (BUNDLED / "model.safetensors").exists() or not DEMO.exists():
        pytest.skip("the bundled model or the demo's knowledge base is not here")
    from classifier.model import Classifier

    return Classifier.load(BUNDLED).embed


@pytest.mark.timeout(300)
def test_the_bundled_model_offers_the_right_article_or_none() -> None:
    """On labelled questions at least 90 % of what is offered is right, and 70 % of the answerable get it.

    Measured: 52 of 55 offered were right (95 %), of 65 answerable (80 %); the thresholds were tuned on
    other questions, those of the demo's day (68 of 68, of 81).
    """
    base = KnowledgeBase(articles := load_articles(DEMO), _bundled())
    usable = {(one.id, language) for one in articles if one.holds_on(DAY) for language in one.replies}
    right = offered = answerable = 0
    for line in QUESTIONS.read_text(encoding="utf-8").splitlines():
        asked = json.loads(line)
        match = base.find(asked["text"], language=asked["language"], today=DAY)
        wanted = asked["article"] if (asked["article"], asked["language"]) in usable else None
        answerable += wanted is not None
        offered += match is not None
        right += match is not None and match.article.id == wanted
    assert right / offered >= 0.90
    assert right / answerable >= 0.70


def test_thresholds_are_the_callers_to_tighten() -> None:
    """A brand that wants fewer and surer proposals says so."""
    strict = KnowledgeBase((BAGS, PETS), embed, thresholds=Thresholds(similarity=1.01))
    assert found(strict, "My bag did not arrive") == "nothing"
