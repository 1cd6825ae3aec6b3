"""What the desk teaches: which decisions give a labelled row, which never do, and whose it is."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace

import pytest

from casework import moves
from casework.case import Case, Moved
from casework.classification import Classification, Intent, Sentiment, Urgency
from casework.decisions import Action, Ask, Circumstances, Labels, decide
from casework.draft import ReplyKind
from casework.feedback import Kind, LabelledRow, LearningTerms, LeftOut, rows_of
from casework.forgetting import bare
from casework.reply import Outgoing
from casework.timeline import TimelineEntry
from tests.fakes.cases import MARKS, MAY_SEND, MINUTE, NOON, PROMISES, a_draft, a_mention, judged

FREE = LearningTerms("Aurora Air", keep=True, against=lambda _: "")
RIGHT = Labels(Sentiment.NEUTRAL, Intent.QUESTION, Urgency.NORMAL)
SAID = Labels(Sentiment.NEGATIVE, Intent.COMPLAINT, Urgency.HIGH)
UNDER = Circumstances(
    now=NOON + 5 * MINUTE, promises=PROMISES, check=lambda *_: (), measure=lambda *_: (0, 280)
)
GONE = "the words are gone: deleted, or kept for as long as they may be"


@dataclass
class Story:
    """A case and its timeline, told by one move after another."""

    case: Case
    timeline: list[TimelineEntry] = field(default_factory=list)

    @classmethod
    def begin(cls, text: str = "My bag is lost!") -> "Story":
        moved = moves.hear(a_mention(text=text), case_id="C-100", at=NOON, promises=PROMISES)
        return cls(moved.case, [*moved.timeline]).judge()

    def then(self, move: Callable[[Case], Moved]) -> "Story":
        moved = move(self.case)
        self.case = moved.case
        self.timeline += moved.timeline
        return self

    def forget(self, move: Callable[[Case], Moved], *, labels: bool) -> "Story":
        """As the store does it: what the timeline said before goes too."""
        self.timeline = [*bare(self.timeline, labels=labels)]
        return self.then(move)

    def judge(self, judgement: Classification | None = None) -> "Story":
        verdict = replace(judgement or judged(), model="heard-1")
        return self.then(lambda c: moves.classify(c, verdict, at=NOON, promises=PROMISES))

    def hold(self) -> "Story":
        return self.then(lambda c: moves.hold(c, permission=MAY_SEND, rule="r", why="", at=NOON))

    def correct(self, labels: Labels = RIGHT) -> "Story":
        ask = Ask(self.case.version, "Nina", labels=labels)
        return self.hold().then(lambda c: decide(c, Action.RELABEL, ask, UNDER))

    def approve(self) -> "Story":
        draft = a_draft(answers=self.case.last.key)
        self.then(lambda c: moves.propose(c, draft, permission=MAY_SEND, rule="r", why="", at=NOON))
        self.then(lambda c: moves.approve(c, by="Nina", at=NOON, draft_sha256=draft.sha256))
        return self.then(lambda c: moves.begin_sending(c, at=NOON, look_at=NOON + MINUTE))

    def arrive(self, reply: str = "r-1") -> "Story":
        at = NOON + 2 * MINUTE
        return self.then(lambda c: moves.sent(c, reply_id=reply, posted_at=at, at=at, promises=PROMISES))

    def answer(self, reply: str = "r-1") -> "Story":
        return self.approve().arrive(reply)

    def write(self, number: int, text: str = "Anybody there?") -> "Story":
        return self.then(
            lambda c: moves.join(c, a_mention(number, text), at=NOON + number * MINUTE, promises=PROMISES)
        )

    def acknowledge(self) -> "Story":
        outgoing = Outgoing("k", ReplyKind.ACKNOWLEDGEMENT, "Seen.", "x:post-1", "heard", NOON, True)
        self.then(
            lambda c: moves.acknowledge(
                c, outgoing, draft=None, permission=MAY_SEND, rule="r", why="", at=NOON
            )
        )
        return self.then(lambda c: moves.begin_sending(c, at=NOON, look_at=NOON + MINUTE)).arrive()

    def found(self, terms: LearningTerms = FREE, *, opted_out: bool = False) -> list[LabelledRow | LeftOut]:
        return list(rows_of(self.case, self.timeline, terms, opted_out=opted_out))

    def kinds(self) -> list[tuple[str, Kind]]:
        return [(row.text, row.kind) for row in self.found() if isinstance(row, LabelledRow)]

    def reasons(self, terms: LearningTerms = FREE, *, opted_out: bool = False) -> list[str]:
        return [one.why for one in self.found(terms, opted_out=opted_out) if isinstance(one, LeftOut)]


# ── which decisions teach ────────────────────────────────────────────────────────────────────────


def test_a_correction_gives_a_row_with_the_labels_that_are_right() -> None:
    """And the model that had judged, and when; who corrected it is in no field."""
    (row,) = Story.begin().correct().found()

    assert row == LabelledRow(
        "My bag is lost!", RIGHT, "x", "Aurora Air", Kind.CORRECTION, "heard-1", UNDER.now
    )
    assert "Nina" not in "".join(str(getattr(row, name.name)) for name in fields(LabelledRow))


def test_an_answer_that_went_out_lets_the_labels_stand() -> None:
    """Weaker evidence, and marked as such."""
    (row,) = Story.begin().answer().found()

    assert isinstance(row, LabelledRow)
    assert (row.labels, row.kind, row.model) == (SAID, Kind.APPROVAL, "heard-1")
    assert row.at == NOON + 2 * MINUTE


NOTHING: dict[str, Callable[[], Story]] = {
    "nobody decided": Story.begin,
    "a person holds it": lambda: Story.begin().hold(),
    "an approval that has not arrived": lambda: Story.begin().approve(),
    "an acknowledgement by itself": lambda: Story.begin().acknowledge(),
    "posted by hand": lambda: (
        Story.begin()
        .hold()
        .then(lambda c: moves.post_by_hand(c, by="Nina", at=NOON, text="Hi!", reply_id="r-9"))
    ),
    "closed without a word": lambda: (
        Story.begin().hold().then(lambda c: moves.close(c, by="Nina", at=NOON, reason="spam"))
    ),
    "an answer that was taken back": lambda: (
        Story.begin()
        .answer()
        .then(lambda c: moves.ask_back(c, by="Nina", at=NOON, reply_id="r-1"))
        .then(lambda c: moves.take_back(c, at=NOON, promises=PROMISES))
    ),
}


@pytest.mark.parametrize("story", NOTHING.values(), ids=NOTHING)
def test_whoever_said_nothing_about_labels_teaches_nothing(story: Callable[[], Story]) -> None:
    """Not even a reason why not: there was no decision."""
    assert story().found() == []


def test_the_last_correction_of_a_post_stands_and_an_answer_adds_nothing_to_it() -> None:
    """One row a post, and the model is the one that judged, not the person in between."""
    story = Story.begin().correct(replace(RIGHT, urgency=Urgency.LOW)).correct().answer()
    (row,) = story.found()

    assert isinstance(row, LabelledRow)
    assert (row.labels, row.kind, row.model) == (RIGHT, Kind.CORRECTION, "heard-1")


def test_each_post_of_a_case_has_its_own_row() -> None:
    """A correction is not lost when the customer writes again."""
    story = Story.begin().correct().answer().write(2, "Thank you!")
    story.judge(judged(Urgency.LOW, Intent.PRAISE, Sentiment.POSITIVE)).answer("r-2")

    assert story.kinds() == [("My bag is lost!", Kind.CORRECTION), ("Thank you!", Kind.APPROVAL)]


def test_an_answer_is_about_the_post_that_it_answers() -> None:
    """What the customer wrote while it was on its way was not judged by then."""
    story = Story.begin().approve().write(2).arrive()

    assert story.kinds() == [("My bag is lost!", Kind.APPROVAL)]


def test_labels_that_may_be_of_an_earlier_post_are_left_out() -> None:
    """Thanks after an unanswered complaint keeps the complaint's labels, and is no complaint."""
    story = Story.begin().write(2, "thanks").judge(judged(Urgency.LOW, Intent.PRAISE)).answer()

    assert story.kinds() == []
    assert story.reasons() == ["the labels may be those of an earlier post"]


def test_a_correction_of_such_a_post_is_sure() -> None:
    """The person read it."""
    story = Story.begin().write(2, "thanks").judge(judged(Urgency.LOW, Intent.PRAISE)).correct()

    assert story.kinds() == [("thanks", Kind.CORRECTION)]


# ── what stands against it ───────────────────────────────────────────────────────────────────────

AGAINST: dict[str, tuple[Callable[[Story], Story], str]] = {
    "deleted by its author": (
        lambda s: s.then(lambda c: moves.withdraw(c, mention_key="x:post-1", at=NOON)),
        GONE,
    ),
    "edited": (
        lambda s: s.then(lambda c: moves.amend(c, mention_key="x:post-1", text="All is well", at=NOON)),
        "the author edited the post afterwards",
    ),
}
DECIDED: dict[str, Callable[[], Story]] = {
    "corrected": lambda: Story.begin().correct(),
    "approved": lambda: Story.begin().answer(),
}


@pytest.mark.parametrize("decided", DECIDED.values(), ids=DECIDED)
@pytest.mark.parametrize(("then", "why"), AGAINST.values(), ids=AGAINST)
def test_what_happened_since_takes_the_row_away(
    decided: Callable[[], Story], then: Callable[[Story], Story], why: str
) -> None:
    """No byte of the text is left, nor labels that were given to other words."""
    story = then(decided())

    assert story.found() == [LeftOut(why)]
    assert "bag" not in repr(story.found())


KEPT_NO_LONGER: dict[str, Callable[[Story], Story]] = {
    "as long as it may be": lambda s: s.forget(
        lambda c: moves.expire(c, at=NOON, why="posts are kept for 30 days", marks=MARKS), labels=True
    ),
    "at all": lambda s: s.forget(lambda c: moves.erase(c, by="Nina", at=NOON, marks=MARKS), labels=False),
}


@pytest.mark.parametrize("decided", DECIDED.values(), ids=DECIDED)
@pytest.mark.parametrize("forget", KEPT_NO_LONGER.values(), ids=KEPT_NO_LONGER)
def test_a_post_that_is_kept_no_longer_teaches_nothing(
    decided: Callable[[], Story], forget: Callable[[Story], Story]
) -> None:
    """Its words are gone, and so is what the timeline said of it."""
    story = forget(decided())

    assert story.kinds() == []
    assert "bag" not in repr(story.found())


def test_a_post_that_was_edited_and_decided_on_again_teaches_again() -> None:
    """By its new words."""
    story = Story.begin().correct()
    story.then(lambda c: moves.amend(c, mention_key="x:post-1", text="Where is my bag?", at=NOON))

    assert story.judge().answer().kinds() == [("Where is my bag?", Kind.APPROVAL)]


@pytest.mark.parametrize("by_the_store", [True, False])
def test_whoever_asked_to_be_left_alone_is_left_alone(by_the_store: bool) -> None:
    """Whether the store knows it or only the post itself says so."""
    topics = () if by_the_store else ("opt-out",)
    story = Story.begin().write(2).judge(judged(topics=topics)).correct()

    assert story.reasons(opted_out=by_the_store) == ["the author asked to be left alone"]


@pytest.mark.parametrize("keep", [True, False])
def test_a_platform_that_forbids_it_is_said_first(keep: bool) -> None:
    """The brand's own word changes nothing about it."""
    terms = LearningTerms("Aurora Air", keep=keep, against=lambda name: f"{name} forbids it")

    assert Story.begin().correct().reasons(terms) == ["x forbids it"]


def test_nothing_is_a_row_unless_the_brand_says_so() -> None:
    """By default it does not."""
    terms = replace(FREE, keep=False)

    assert Story.begin().correct().reasons(terms) == ["brand.yaml does not say learning.keep: true"]


def test_a_copy_of_a_post_from_elsewhere_is_under_the_rules_of_both() -> None:
    """What stands on X does not become free by being posted on Bluesky too."""
    story = Story.begin().correct()
    copy = a_mention(platform="bluesky", id="post-1", cross_post_of="x:9")
    story.case = replace(story.case, platform="bluesky", mentions=(copy,))
    story.timeline[0] = replace(story.timeline[0], detail="bluesky:post-1")
    terms = replace(FREE, against=lambda name: "X forbids it" if name == "x" else "")

    assert story.reasons(terms) == ["X forbids it"]


def test_a_timeline_that_is_ahead_of_its_case_is_read_up_to_it() -> None:
    """The two are read one after the other, and somebody may move the case in between."""
    story = Story.begin()
    before = story.case
    story.correct()

    assert list(rows_of(before, story.timeline, FREE)) == []


@pytest.mark.parametrize("detail", ["", "happy, dance, soon", "negative", "x:post-1"])
def test_an_entry_that_says_no_labels_teaches_nothing(detail: str) -> None:
    """A store that another version wrote is read with care."""
    story = Story.begin().correct()
    story.timeline = [replace(e, detail=detail) if e.what == "relabel" else e for e in story.timeline]

    assert story.found() == []
