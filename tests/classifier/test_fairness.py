"""Who writes, to whom, and in which English, should not change what a post is taken for.

`python -m tests.classifier.test_fairness` prints the table that the model card quotes.
Each group rewrites plain posts with their meaning kept. A rewritten post has flipped in a head when it gets
another label than the plain one. The rewritings are by one author and few: they find gross unfairness only.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pytest

from casework.classification import Classification, Doubt
from classifier.model import Classifier

HEADS = ("sentiment", "intent", "urgency")

NAMED = [
    "@acme {name} at your help desk hung up on me twice today",
    "@acme my wife {name} was charged twice for one ticket, please refund her",
    "@acme shout out to {name} at the store, wonderful service!",
    "@acme I am {name}, order 4711, it never arrived",
    "@acme the app logs me out every time, regards {name}",
    "@acme how do I add {name} to my family plan?",
    "@acme {name}'s account was hacked and the password changed, please help",
    "Watching the game with {name} on my new acme tablet",
    "{name} just bought the new acme headphones and loves them",
    "@acme can {name} pick up my parcel for me?",
    "@acme your driver {name} left my parcel in the rain",
    "@acme my son {name} is stuck at the gate and your app won't show his boarding pass",
    "Lunch with {name}, then shopping at acme",
    "@acme thank you {name} for sorting out my bill so fast",
    "@acme please tell {name} from billing that the invoice is still wrong",
    "@acme I cannot log in, my user name is {name}",
    "@acme {name} here, why is my internet down again?",
    "@acme nobody called {name} back, we have waited three weeks",
    "Happy birthday {name}! New acme phone for you",
    "@acme do you have a store near {name}'s place in Leeds?",
]

NAMES = {
    "names: English": ("Emily", "Jake", "Charlotte", "Oliver"),
    "names: African American": ("Lakisha", "Jamal", "Ebony", "DeShawn"),
    "names: Arabic": ("Fatima", "Mohammed", "Layla", "Omar"),
    "names: South Asian": ("Priya", "Rahul", "Ayesha", "Gurpreet"),
    "names: East Asian": ("Mei", "Hiroshi", "Ji-woo", "Wei"),
    "names: Latin American": ("María", "José", "Guadalupe", "Diego"),
    "names: West African": ("Ngozi", "Chidi", "Aminata", "Kwame"),
    "names: Eastern European": ("Agnieszka", "Dmitri", "Oksana", "Zoltán"),
    "names: Nordic": ("Ingrid", "Lars", "Åse", "Bjørn"),
}
PLAIN_NAME = "Anna"

GENDERED = [
    "@acme {He} was charged twice and {his} bank cannot stop it",
    "@acme my boss says {he} never got the invoice, can you send it to {him} again?",
    "@acme your agent was lovely, {he} fixed it in minutes, thank {him} for me",
    "@acme the driver threw the box, {he} did not even ring",
    "@acme {his} account is locked, {he} needs it for work today",
    "My friend got {his} new acme phone and {he} loves it",
    "@acme {he} hung up on me. What is {his} name?",
    "@acme how can {he} change {his} address?",
    "Ran into an old teacher, {he} still has {his} first acme radio",
    "@acme {he} has asked for {his} refund five times now",
]
PRONOUNS = {
    "pronouns: she": {"He": "She", "he": "she", "his": "her", "him": "her"},
    "pronouns: they": {"He": "They", "he": "they", "his": "their", "him": "them"},
}
HE = {word: word for word in ("He", "he", "his", "him")}

HANDLED = [
    "{who} my order is two weeks late and nobody replies",
    "{who} the app crashes since the update",
    "{who} how do I reset my password?",
    "{who} thank you, that worked!",
    "{who} I was charged twice, please refund me",
    "{who} my account was hacked, please lock it",
    "{who} do you ship to Norway?",
    "{who} worst service ever, I am leaving",
    "{who} love the new colours 😍",
    "{who} is there an outage in Leeds?",
]
HANDLES = {
    "handles: a woman's": "@SarahCares",
    "handles: an abbreviation": "@ACM_Help247",
    "handles: another alphabet's name": "@abdul_rahman_support",
    "handles: with digits": "@help4u_2024",
    "handles: on Mastodon": "@acme@mastodon.example",
}

DIALECTS: Mapping[str, Sequence[tuple[str, str]]] = {
    "dialect: African American English": [
        ("@acme the app is not working for me", "@acme the app ain't working for me"),
        ("@acme you are always losing my parcels", "@acme y'all be losing my parcels"),
        ("@acme I have been waiting for two hours", "@acme I been waiting two hours"),
        ("@acme nobody ever answers the phone", "@acme don't nobody never answer the phone"),
        ("@acme why are you charging me twice?", "@acme why y'all charging me twice?"),
        ("@acme your service is really bad", "@acme y'all service trash fr"),
        ("I am going to the acme store with my friends", "finna hit the acme store wit my folks"),
        ("These new acme shoes are really great", "These new acme joints hittin no cap"),
        ("@acme my account was hacked, please help", "@acme somebody done hacked my account, help me out"),
        ("@acme how do I get my money back?", "@acme how I'm supposed to get my money back?"),
    ],
    "dialect: Indian English": [
        ("@acme please look into my order", "@acme kindly do the needful for my order"),
        ("@acme please move my booking to an earlier date", "@acme kindly prepone my booking"),
        ("@acme I have a question about my bill", "@acme I am having one doubt regarding my bill"),
        ("@acme nobody has called me back yet", "@acme nobody has reverted back to me till now"),
        ("@acme the app has not been working since Monday", "@acme app is not working since Monday only"),
        ("@acme your agent is not answering", "@acme your executive is not picking the call only"),
        ("@acme I was charged twice, please refund me", "@acme amount got deducted two times, kindly refund"),
        ("@acme my account was hacked, please help", "@acme my account got hacked, please help sir"),
        ("Thank you acme, very good service", "Thank you acme, too good service yaar"),
        ("I am out of town, bought a new acme phone", "I am out of station, purchased new acme mobile"),
    ],
    "dialect: Scots": [
        ("@acme my app is not working", "@acme ma app isnae workin"),
        ("@acme I do not know how to log in", "@acme ah dinnae ken how tae log in"),
        ("@acme where is my parcel?", "@acme where's ma parcel, pal?"),
        ("@acme I have been waiting all day", "@acme been waitin aw day so ah huv"),
        ("@acme your service is terrible", "@acme yer service is pure mince"),
        ("@acme you cannot charge me twice", "@acme yous cannae charge me twice"),
        ("@acme my account was hacked, please help", "@acme ma account wis hacked, gonnae help us"),
        ("Having a lovely day at the acme store", "Havin a braw day at the acme shop"),
        ("@acme thank you very much for the help", "@acme cheers, pure dead brilliant help"),
        ("@acme can you send it to my new address?", "@acme can ye send it tae ma new address?"),
    ],
    "dialect: text-speak": [
        ("@acme please help me, I cannot log in", "@acme pls help me i cant log in"),
        ("@acme where is my order? It is late", "@acme wheres my order its l8"),
        ("@acme thank you for your help", "@acme thx 4 ur help"),
        ("@acme how do you cancel the subscription?", "@acme how do u cancel the sub?"),
        ("@acme your app keeps crashing", "@acme ur app keeps crashin smh"),
        ("@acme I was charged twice, please refund me", "@acme got charged 2x pls refund"),
        ("@acme my account was hacked, please help", "@acme my acct got hacked pls help asap"),
        ("I love my new acme phone", "luv my new acme fone"),
        ("@acme nobody answers, this is ridiculous", "@acme no1 answers this is rediculous wtf"),
        ("Going to the acme store later", "goin 2 the acme store l8r"),
    ],
}

Pair = tuple[str, str]


def groups() -> dict[str, list[Pair]]:
    """For each group the pairs of a plain post and one that means the same."""
    found: dict[str, list[Pair]] = {
        group: [(one.format(name=PLAIN_NAME), one.format(name=name)) for one in NAMED for name in names]
        for group, names in NAMES.items()
    }
    for group, words in PRONOUNS.items():
        found[group] = [(one.format(**HE), one.format(**words)) for one in GENDERED]
    for group, handle in HANDLES.items():
        found[group] = [(one.format(who="@acme"), one.format(who=handle)) for one in HANDLED]
    return {**found, **{group: list(pairs) for group, pairs in DIALECTS.items()}}


@dataclass(frozen=True, slots=True)
class Flips:
    """Shares of a group's posts that get another label; ``sure`` where the model is sure of both labels."""

    posts: int
    every: Mapping[str, float]
    sure: Mapping[str, float]


def flips(judge: Callable[[Sequence[str]], Sequence[Classification]]) -> dict[str, Flips]:
    """For each group and head how many posts get another label than their plain form."""
    pairs = groups()
    texts = list(dict.fromkeys(text for both in pairs.values() for pair in both for text in pair))
    judged = dict(zip(texts, judge(texts), strict=True))
    return {
        group: _flips([(judged[plain], judged[other]) for plain, other in both])
        for group, both in pairs.items()
    }


def _flips(both: Sequence[tuple[Classification, Classification]]) -> Flips:
    other = {head: [pair for pair in both if len({getattr(one, head) for one in pair}) > 1] for head in HEADS}
    sure = {
        head: [pair for pair in pairs if not any(Doubt(head) in one.doubts for one in pair)]
        for head, pairs in other.items()
    }
    return Flips(
        posts=len(both),
        every={head: len(pairs) / len(both) for head, pairs in other.items()},
        sure={head: len(pairs) / len(both) for head, pairs in sure.items()},
    )


def table(found: Mapping[str, Flips]) -> str:
    """The shares as the model card quotes them; in brackets those where the model is sure of both labels."""
    lines = ["| Group | Posts | Sentiment | Intent | Urgency |", "|---|---|---|---|---|"]
    for group, of in found.items():
        shares = " | ".join(f"{of.every[head]:.1%} ({of.sure[head]:.1%})" for head in HEADS)
        lines.append(f"| {group} | {of.posts} | {shares} |")
    return "\n".join(lines)


@pytest.fixture(scope="module")
def found() -> dict[str, Flips]:
    """What the model as it ships does, printed."""
    measured = flips(Classifier.load().classify)
    print("\n" + table(measured))  # noqa: T201 - asked for with -s
    return measured


def _together(found: Mapping[str, Flips], kind: str, head: str, *, sure: bool = False) -> float:
    of = [flipped for group, flipped in found.items() if group.startswith(kind)]
    shares = [(flipped.sure if sure else flipped.every)[head] * flipped.posts for flipped in of]
    return sum(shares) / sum(flipped.posts for flipped in of)


@pytest.mark.parametrize(("head", "most"), [("intent", 0.05), ("urgency", 0.10)])
def test_a_name_changes_hardly_a_label_that_is_sure(found: dict[str, Flips], head: str, most: float) -> None:
    """What the model doubts goes to people either way, so that only sure labels can treat people unlike."""
    assert _together(found, "names", head, sure=True) <= most


@pytest.mark.parametrize("head", ["intent", "urgency"])
@pytest.mark.parametrize("group", NAMES)
def test_no_origin_fares_worse_than_english_names(found: dict[str, Flips], group: str, head: str) -> None:
    """Posts on the edge of two labels flip with any name; one origin must not flip much more than another."""
    assert found[group].every[head] - found["names: English"].every[head] <= 0.15


@pytest.mark.parametrize("head", ["intent", "urgency"])
def test_a_handle_changes_no_label_to_speak_of(found: dict[str, Flips], head: str) -> None:
    """Handles are masked before anything is read."""
    assert _together(found, "handles", head) <= 0.05


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("kind", ["names", "pronouns", "dialect"])
def test_few_labels_change_at_all(found: dict[str, Flips], kind: str, head: str) -> None:
    """A loose ceiling: the figures are for the card, and for a closer look."""
    assert _together(found, kind, head) <= 0.25


if __name__ == "__main__":
    print(table(flips(Classifier.load().classify)))  # noqa: T201 - a command prints
