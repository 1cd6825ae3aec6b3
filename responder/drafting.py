"""Proposes the reply to a case from reviewed texts alone, or says in a sentence why nothing fits.

Nothing that a customer wrote gets into a draft but a plain first name: their text only chooses which of
the brand's own texts is proposed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from casework.case import Case
from casework.classification import Classification, Intent, Topic
from casework.draft import Draft, ReplyKind, Source
from casework.reply import Outgoing
from platforms.lengths import measure
from platforms.rules import FOR_PEOPLE
from responder.guard import objections
from responder.knowledge import Article, KnowledgeBase
from responder.policy import Action, Rule
from responder.wording import Slots, Template, Wording, clean_first_name, missing, render, written

_GREETINGS = {"en": "Hi {}! ", "nb": "Hei {}! ", "de": "Hallo {}! "}
_HEARD = "heard"
_PERSONS_ONLY = FOR_PEOPLE - {Topic.SAFETY, Topic.LEGAL, Topic.PRESS, Topic.DATA_BREACH}
"""Matters where even a proposed text from the shelf would be an insult to whoever has to read it."""


@dataclass(frozen=True, slots=True)
class NothingFits:
    """No reviewed text may be proposed; ``why`` is for the person who has to write one."""

    why: str


@dataclass(frozen=True, slots=True)
class _Proposal:
    """One reviewed text that might do, the texts its facts rest on, and how it reads without a greeting."""

    source: Source
    text: str
    plain: str
    known: tuple[str, ...]


def compose(
    case: Case,
    *,
    rule: Rule,
    articles: KnowledgeBase,
    wording: Wording,
    brand: str,
    today: date,
    draft_id: str,
    desk_hours: str = "",
) -> Draft | NothingFits:
    """A draft for the customer's last mention: the rule's template, else the article that answers it.

    What a person has rejected in this case is not proposed again.

    Raises:
        ValueError: the case was not judged yet.
    """
    judged = _judged(case)
    touched = sorted(_PERSONS_ONLY & set(judged.topics))
    if touched:
        return NothingFits(f"this touches {', '.join(touched)}: only a person can find the words")
    language = written(judged.language)
    found: _Proposal | NothingFits
    if rule.do is Action.DRAFT and rule.template is not None:
        found = _from_template(case, rule, wording, _slots(case, brand, desk_hours), language)
    else:
        found = _from_article(case, judged, articles, language, today)
    if isinstance(found, NothingFits):
        return found
    text = found.text if measure(case.platform, found.text).fits else found.plain
    against = objections(
        text, platform=case.platform, allowed=(*found.known, *_ours(case, brand, desk_hours))
    )
    if against:
        return NothingFits(f"{found.source.id} would do, but it cannot be used here: {against[0].why}")
    return Draft(id=draft_id, text=text, answers=case.last.key, language=language, sources=(found.source,))


def acknowledgement(
    case: Case,
    *,
    template_id: str,
    wording: Wording,
    brand: str,
    at: datetime,
    desk_hours: str = "",
    not_after: datetime | None = None,
) -> Outgoing | NothingFits:
    """The reply that says "we have seen it" by itself, with the words that say no person wrote it.

    Whether it may go out is `platforms.rules.may`; the same case and mention give the same
    key and the same text, however often this is asked.

    Raises:
        ValueError: the case was not judged yet.
    """
    language = written(_judged(case).language)
    template = wording.find(template_id, language)
    if template is None or template.kind is not ReplyKind.ACKNOWLEDGEMENT:
        return NothingFits(f"there is no acknowledgement {template_id} in {language}")
    disclosure = wording.disclosure(language) or ""
    slots = _slots(case, brand, desk_hours, disclosure)
    if lacking := sorted(missing(template, slots)):
        return NothingFits(f"nothing is known to fill {{{lacking[0]}}} of {template_id} with")
    text = _shorter_if_needed(case.platform, template, slots)
    if disclosure not in text or case.id not in text:
        return NothingFits(f"{template_id} does not say that it is automatic, and for which case")
    known = (template.text, disclosure, *_ours(case, brand, desk_hours))
    if against := objections(text, platform=case.platform, allowed=known):
        return NothingFits(f"{template_id} cannot be used here: {against[0].why}")
    return Outgoing(
        key=f"{case.id}:ack:{case.last.key}",
        kind=ReplyKind.ACKNOWLEDGEMENT,
        text=text,
        answers=case.last.key,
        decided_by=_HEARD,
        decided_at=at,
        automatic=True,
        not_after=not_after,
        language=template.language,
    )


def _judged(case: Case) -> Classification:
    if case.classification is None:
        raise ValueError(f"{case.id} is not classified")
    return case.classification


def _slots(case: Case, brand: str, desk_hours: str, disclosure: str = "") -> Slots:
    return Slots(
        brand=brand, case=case.id, first_name=_name(case), desk_hours=desk_hours, disclosure=disclosure
    )


def _name(case: Case) -> str:
    """The first word of the display name. A handle is no name, so nobody is greeted by theirs."""
    author = case.last.author
    return clean_first_name(author.first_name) if author.name.strip() else ""


def _ours(case: Case, brand: str, desk_hours: str) -> tuple[str, ...]:
    """What a reply may say besides the reviewed text itself."""
    return brand, case.id, desk_hours


def _shorter_if_needed(platform: str, template: Template, slots: Slots) -> str:
    """The text, without the name where only that makes it too long."""
    text = render(template, slots)
    if measure(platform, text).fits:
        return text
    return render(template, Slots(slots.brand, slots.case, "", slots.desk_hours, slots.disclosure))


def _from_template(
    case: Case, rule: Rule, wording: Wording, slots: Slots, language: str
) -> _Proposal | NothingFits:
    template_id = rule.template or ""
    template = wording.find(template_id, language)
    if template is None or template.kind is not ReplyKind.ANSWER:
        return NothingFits(f"there is no answer {template_id} in {language}")
    if case.rejections and case.rule == rule.id:
        return NothingFits(f"{template_id} was rejected in this case: {case.rejections[-1]}")
    if lacking := sorted(missing(template, slots)):
        return NothingFits(f"nothing is known to fill {{{lacking[0]}}} of {template_id} with")
    text = _shorter_if_needed(case.platform, template, slots)
    return _Proposal(Source(template.id, template.id), text, text, (template.text,))


def _from_article(
    case: Case, judged: Classification, articles: KnowledgeBase, language: str, today: date
) -> _Proposal | NothingFits:
    if judged.intent is Intent.PRAISE:
        return NothingFits("the knowledge base has no answer to praise")
    rejected = set(_rejected(case, articles, language, today))
    for text in _still_asked(case):
        match = articles.find(text, language=language, today=today)
        if match is not None and match.article.id in rejected:
            return NothingFits(f"{match.article.id} was rejected in this case: {case.rejections[-1]}")
        if match is not None:
            return _answer(case, match.article, language)
    return NothingFits("nothing in the knowledge base answers this")


def _still_asked(case: Case) -> Iterator[str]:
    """What the customer wrote since the last answer, newest first: "still waiting!" asks nothing new."""
    return (mention.text for mention in reversed(case.unanswered() or (case.last,)))


def _rejected(case: Case, articles: KnowledgeBase, language: str, today: date) -> Sequence[str]:
    """The articles that this case was offered before a person said no.

    The case keeps the reasons and not the drafts, but what fits a text does not change. A draft is only
    made anew when the customer writes again, so that what was rejected answered an earlier mention.
    """
    if not case.rejections:
        return ()
    earlier = case.mentions[:-1] or case.mentions
    found = (articles.find(mention.text, language=language, today=today) for mention in earlier)
    return [match.article.id for match in found if match is not None]


def _answer(case: Case, article: Article, language: str) -> _Proposal:
    plain = article.replies[language]
    name, greeting = _name(case), _GREETINGS.get(language)
    greeted = greeting.format(name) + plain if name and greeting else plain
    return _Proposal(Source(article.id, article.title), greeted, plain, (plain, article.body))
