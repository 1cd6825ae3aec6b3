"""Any other model by name: its labels are ours, its files are safe, and nothing it lacks goes unsaid."""

import errno
import json
import shutil
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from huggingface_hub.errors import LocalEntryNotFoundError
from transformers import AutoModelForSequenceClassification, BatchEncoding, BertConfig, BertModel

from casework.classification import Classification, Confidence, Doubt, Intent, Sentiment, Topic, Urgency
from classifier import others
from classifier.choice import Choice, fitted
from classifier.composed import Composed, load
from classifier.labels import Head, head_of, label_map
from classifier.model import Classifier, ModelUnavailable
from classifier.others import Wanted, fetched, is_elsewhere_made, look
from classifier.pretrained import HeadVerdict, PretrainedHead
from classifier.text import tweet_form
from tests.fakes.cases import judged
from tests.fakes.model import LookUpModel
from tests.fakes.model_hub import COMMIT, ModelHub, serving
from tests.fakes.tiny_models import changed, pickled, save_bert, save_roberta, tokenizer

TEXTS = ["the app is bad", "my order is fine !", "good", "good good the user is good . . ."]
TOLD = ["negative", "neutral", "positive", "positive"]
NONE: Mapping[str, str] = {}


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose labels are known by name."""
    return save_bert(tmp_path_factory.mktemp("tone"))


@pytest.fixture(scope="session")
def six(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of six unnamed labels, two for each tone."""
    return save_bert(tmp_path_factory.mktemp("six"), tuple(f"LABEL_{place}" for place in range(6)))


@pytest.fixture
def copied(made: Path, tmp_path: Path) -> Path:
    """A copy of the model that a test may spoil."""
    return Path(shutil.copytree(made, tmp_path / "tone"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no hub that could be asked. Tiny models gain nothing by threads."""
    torch.set_num_threads(1)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "cache"


@pytest.fixture
def hub(made: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelHub]:
    """A hub that has the model."""
    with serving(ModelHub(made)) as served:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", served.url)
        address = served.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address)
        yield served


def a_head(folder: Path, head: Head = "sentiment", labels: Mapping[str, str] = NONE) -> PretrainedHead:
    """The head of a model in a folder."""
    found = look(Wanted(str(folder), None, labels))
    assert found is not None
    return PretrainedHead.load(fitted(found, head))


def refusal(
    folder: Path | str,
    head: Head | None = "sentiment",
    revision: str = "",
    labels: Mapping[str, str] = NONE,
) -> str:
    """The one sentence with which a model is refused."""
    told: list[str] = []
    with pytest.raises(ModelUnavailable) as refused:
        PretrainedHead.load(fitted(fetched(Wanted(str(folder), revision or None, labels), told.append), head))
    said = str(refused.value)
    assert "\n" not in said
    return said


# ── labels ───────────────────────────────────────────────────────────────────────────────────────


def test_known_labels_map_by_themselves(made: Path) -> None:
    """Negative is negative in any spelling."""
    assert [said.label for said in a_head(made).judge(TEXTS)] == TOLD
    assert label_map("sentiment", ["NEG", "Neu", " positive"], {}, "x").meanings == (
        "negative",
        "neutral",
        "positive",
    )
    assert label_map("urgency", ["High", "LOW"], {}, "x").ours == ("low", "high")


@pytest.mark.parametrize("head", ["intent", "urgency"])
def test_our_own_labels_are_known_by_name(head: Head) -> None:
    """A model that was taught Heard's words needs no map."""
    ours = {"intent": tuple(Intent), "urgency": tuple(Urgency)}[head]
    assert label_map(head, [label.upper() for label in ours], {}, "x").meanings == ours
    assert head_of(ours, "x") == head


def test_shares_of_labels_that_mean_the_same_add_up(six: Path) -> None:
    """Two labels of half a share each are as sure as one."""
    meanings = ("negative", "neutral", "positive") * 2
    labels = {f"LABEL_{place}": meaning for place, meaning in enumerate(meanings)}
    said = a_head(six, labels=labels).judge(TEXTS)
    assert [one.label for one in said] == TOLD
    for text, one in zip(TEXTS, said, strict=True):
        shares = reference(six, text)
        assert one.share == pytest.approx(float(shares.view(2, 3).sum(0).max()), abs=1e-5)
        assert float(shares.max()) < 0.5 < one.share


def test_an_ignored_label_gives_its_share_to_the_others(six: Path) -> None:
    """What is left is shared out anew."""
    labels = {"LABEL_0": "negative", "LABEL_1": "neutral", "LABEL_2": "positive"}
    ignored = dict.fromkeys(("LABEL_3", "LABEL_4", "LABEL_5"), "ignore")
    said = a_head(six, labels=labels | ignored).judge(TEXTS)
    assert [one.label for one in said] == TOLD
    for text, one in zip(TEXTS, said, strict=True):
        kept = reference(six, text)[:3]
        assert one.share == pytest.approx(float(kept.max() / kept.sum()), abs=1e-5)


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ({}, "LABEL_0, LABEL_1, LABEL_2, LABEL_3, LABEL_4, LABEL_5 means nothing to Heard"),
        ({"LABEL_0": "negative", "LABEL_1": "positive"}, "LABEL_2, LABEL_3, LABEL_4, LABEL_5 means nothing"),
        ({"LABEL_9": "negative"}, "`LABEL_9`, which is no label of it"),
        ({"LABEL_0": "negative", "label_0": "positive"}, "`label_0`, which fits more than one label or line"),
        ({f"LABEL_{n}": "angry" for n in range(6)}, "there is no sentiment angry"),
        ({f"LABEL_{n}": "bug" for n in range(6)}, "there is no sentiment bug"),
        ({f"LABEL_{n}": "ignore" for n in range(6)}, "two different labels at least"),
    ],
)
def test_a_map_that_leaves_a_doubt_is_refused(six: Path, labels: dict[str, str], says: str) -> None:
    """With the labels that the model has and those that we have."""
    said = refusal(six, labels=labels)
    assert says in said
    assert "has the labels LABEL_0, LABEL_1" in said
    assert "negative, neutral, positive, or `ignore`" in said


def test_a_model_for_another_head_is_refused(made: Path) -> None:
    """Sentiments are no urgencies."""
    assert "the urgency has low, normal, high, critical" in refusal(made, "urgency")


def test_a_model_without_a_head_is_asked_what_it_judges(made: Path, six: Path) -> None:
    """Under `classifier.model` its labels tell, and labels that tell nothing are refused."""
    found = look(Wanted(str(made)))
    assert found is not None
    assert fitted(found, None).labels.head == "sentiment"
    assert "do not tell what it judges: name it under classifier.heads" in refusal(six, None)


# ── what may be opened ───────────────────────────────────────────────────────────────────────────


def test_a_pickle_is_refused(copied: Path) -> None:
    """It could run code when it is opened."""
    assert "no weights as model.safetensors, and other forms (pickles" in refusal(pickled(copied))


def test_an_index_that_names_a_pickle_is_refused(copied: Path) -> None:
    """Safetensors by name are not enough: the parts count."""
    pickled(copied)
    index = {"weight_map": {"weight": "pytorch_model.bin"}}
    (copied / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    assert "pickles" in refusal(copied)


def test_weights_named_by_the_configuration_are_refused(copied: Path) -> None:
    """The library would open whatever file is named there."""
    assert "pickles" in refusal(pickled(changed(copied, transformers_weights="adapter_model.bin")))


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_code_of_a_model_is_never_run(copied: Path, file: str) -> None:
    """Not the model's, not the tokeniser's."""
    (copied / "evil.py").write_text("raise SystemExit", encoding="utf-8")
    values = json.loads((copied / file).read_text("utf-8"))
    values["auto_map"] = {"AutoModelForSequenceClassification": "evil.Model"}
    (copied / file).write_text(json.dumps(values), encoding="utf-8")
    assert "brings code of its own (trust_remote_code)" in refusal(copied)


def test_what_sorts_no_texts_is_refused(copied: Path, tmp_path: Path) -> None:
    """By what its configuration says, or by the weights that it lacks."""
    bare = tmp_path / "bare"
    BertModel(
        BertConfig(vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2)
    ).save_pretrained(bare)
    tokenizer().save_pretrained(bare)
    assert "is a BertModel, which does not sort texts" in refusal(bare)
    labels = {"id2label": {"0": "negative", "1": "positive"}}
    dressed = changed(bare, architectures=["BertForSequenceClassification"], **labels)
    assert "no trained head for sorting texts" in refusal(dressed)
    several = changed(copied, problem_type="multi_label_classification")
    assert "does not choose one label of several" in refusal(several)


def test_files_that_are_missing_or_broken_are_named(copied: Path, tmp_path: Path) -> None:
    """One sentence each, which says what to do."""
    assert "There is no folder /no/where" in refusal("/no/where")
    (tmp_path / "empty").mkdir()
    assert "There is no config.json in" in refusal(tmp_path / "empty")
    assert "is a folder and has no revisions" in refusal(copied, revision="main")
    weights = (copied / "model.safetensors").read_bytes()
    (copied / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    assert "cannot be run (SafetensorError): fetch it again" in refusal(copied)
    (copied / "model.safetensors").unlink()
    assert "There is no model.safetensors in" in refusal(copied)
    (copied / "config.json").write_text("{", encoding="utf-8")
    assert "config.json cannot be read" in refusal(copied)


def test_a_vocabulary_that_does_not_fit_is_found_at_the_start(copied: Path) -> None:
    """The model is tried once before it is trusted."""
    (copied / "tokenizer.json").unlink()
    assert "cannot be run (" in refusal(copied)


# ── the hub and its cache ────────────────────────────────────────────────────────────────────────


def test_a_model_is_fetched_once_and_the_hub_is_not_asked_again(hub: ModelHub, cache: Path) -> None:
    """What is said before it takes long: how much, and where it is kept. Then no network is needed."""
    told: list[str] = []
    wanted = Wanted("owner/tone")
    assert look(wanted) is None
    first = fetched(wanted, told.append)
    asked = hub.asked
    second = fetched(wanted, told.append)
    assert first == second
    assert first.name == f"owner/tone@{COMMIT[:8]}"
    assert told == [f"owner/tone is fetched once, 1 MB, and kept in {cache}"]
    assert hub.asked == asked
    assert "model.safetensors" in hub.fetched
    assert [said.label for said in PretrainedHead.load(fitted(first, None)).judge(TEXTS)] == TOLD


def test_pickles_and_code_are_not_even_fetched(hub: ModelHub, copied: Path) -> None:
    """A model that has nothing else is refused by what is missing."""
    (pickled(copied) / "evil.py").write_text("", encoding="utf-8")
    hub.folder = copied
    assert "name a revision that has them, often refs/pr/1" in refusal("owner/tone")
    assert not {"pytorch_model.bin", "evil.py"} & set(hub.fetched)


def test_a_revision_is_fetched_by_its_name(hub: ModelHub) -> None:
    """Also one of a pull request; one that is not there is named."""
    assert fetched(Wanted("owner/tone", "refs/pr/1"), lambda _: None).folder.name == COMMIT
    assert "owner/tone has no revision v9: write a branch" in refusal("owner/tone", revision="v9")


def test_what_the_hub_refuses_is_one_sentence(hub: ModelHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """No such model, no access, nobody there."""
    assert "no model that the hub shows us: check the name" in refusal("owner/other")
    hub.refuses = "GatedRepo"
    assert "needs its owner's consent" in refusal("owner/tone")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    said = refusal("owner/tone")
    assert "the hub cannot be reached" in said
    assert "HF_HOME" in said


@pytest.mark.parametrize(
    ("number", "says"),
    [(errno.ENOSPC, "does not fit on the disk"), (errno.EROFS, "name a folder that is ours")],
)
def test_a_disk_that_takes_nothing_is_one_sentence(
    hub: ModelHub, monkeypatch: pytest.MonkeyPatch, number: int, says: str
) -> None:
    """Full, or not ours to write on."""

    def write_nothing(*_: object, local_files_only: bool) -> str:
        raise LocalEntryNotFoundError("not yet") if local_files_only else OSError(number, "no")

    monkeypatch.setattr(others, "_snapshot", write_nothing)
    said = refusal("owner/tone")
    assert says in said
    assert "HF_HOME" in said


def test_offline_and_not_in_the_cache_says_what_to_do(cache: Path) -> None:
    """HF_HUB_OFFLINE=1 is the switch, HF_HOME the folder."""
    said = refusal("cardiffnlp/twitter-roberta-base-sentiment-latest")
    assert f"is not in {cache}, and HF_HUB_OFFLINE forbids to fetch it" in said
    assert "HF_HOME" in said


def test_offline_and_in_the_cache_needs_no_network(cache: Path, made: Path) -> None:
    """A cache that was copied from another machine is enough; a part of one is not."""
    repository = cache / "models--owner--tone"
    snapshot = repository / "snapshots" / COMMIT
    shutil.copytree(made, snapshot)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT, encoding="utf-8")
    found = look(Wanted("owner/tone"))
    assert found is not None
    assert (found.name, found.where) == (f"owner/tone@{COMMIT[:8]}", f"in the cache {cache}")
    (snapshot / "model.safetensors").unlink()
    assert "HF_HUB_OFFLINE forbids" in refusal("owner/tone")


def test_nothing_is_printed(hub: ModelHub, capfd: pytest.CaptureFixture[str]) -> None:
    """No progress bar, no advice: standard output is for data, standard error for our own talk."""
    PretrainedHead.load(fitted(fetched(Wanted("owner/tone"), lambda _: None), None)).judge(["word " * 200])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "other"),
    [("bundled", False), ("/no/where", False), ("./model", False), ("owner/model", True), ("model", True)],
)
def test_a_name_tells_whose_model_it_is(name: str, other: bool, made: Path) -> None:
    """A folder of transformers is known by its config.json, a name of the hub by its form."""
    assert is_elsewhere_made(name) is other
    assert is_elsewhere_made(str(made))
    assert not is_elsewhere_made(str(Choice().base))


# ── judging ──────────────────────────────────────────────────────────────────────────────────────


def test_texts_are_read_in_the_form_that_such_models_know() -> None:
    """Handles and links masked, blanks and hidden characters tidied, case and emoji kept."""
    text = "Love it 😀 &amp; @Maya_K\u200b  https://x.example/y\n\n\ud800WOW u/someone"
    assert tweet_form(text) == "Love it 😀 & @user http WOW @user"


def test_answers_come_in_the_order_of_the_texts_whatever_the_company(made: Path) -> None:
    """Groups of like length, padded: neither the place nor the neighbours change a label."""
    head = a_head(made)
    texts = [text * repeats for repeats in (5, 1, 3, 2) for text in TEXTS] * 3
    together = head.judge(texts)
    alone = [head.judge([text])[0] for text in texts]
    assert [one.label for one in together] == [one.label for one in alone]
    assert [one.share for one in together] == pytest.approx([one.share for one in alone], abs=1e-5)


def test_a_text_that_is_longer_than_the_model_reads_says_so(made: Path, tmp_path: Path) -> None:
    """64 places in this BERT, 38 of 40 in this RoBERTa; two tokens are the model's own."""
    for head, longest in ((a_head(made), 64), (a_head(save_roberta(tmp_path / "roberta")), 38)):
        assert head.longest == longest
        fits, cut = head.judge(["word " * (longest - 2), "word " * (longest - 1)])
        assert (fits.truncated, cut.truncated) == (False, True)


def test_a_post_of_a_million_characters_is_judged_by_its_beginning(made: Path) -> None:
    """Reading is bounded, and the answer says that something was cut off."""
    head = a_head(made)
    started = time.perf_counter()
    said = head.judge(["bad " * 250_000, "x" * 1_000_000, "\u200b" * 1_000_000, "good"])
    assert time.perf_counter() - started < 3.0
    assert [one.truncated for one in said] == [True, True, True, False]
    assert (said[0].label, said[3].label) == ("negative", "positive")


@pytest.mark.parametrize("text", ["", " ", "\u200b", "\x00", "😂", "\ud800", "\U000e0041" * 50, "@" * 99])
def test_an_empty_or_odd_text_still_gets_an_answer(made: Path, text: str) -> None:
    """Nothing to read is no reason to fail."""
    (said,) = a_head(made).judge([text])
    assert said.label in tuple(Sentiment)
    assert 0.0 < said.share <= 1.0


def test_several_threads_may_ask_at_once(made: Path) -> None:
    """They wait for each other and get what they would get alone."""
    head = a_head(made)
    answers: dict[int, list[str]] = {}

    def ask(number: int) -> None:
        answers[number] = [one.label for one in head.judge(TEXTS)]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(answers.values()) == [TOLD] * 4


def test_a_graphics_processor_is_used_where_there_is_one(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model goes there once, each batch when it is judged, and the answers come back."""
    moved: list[str] = []

    def to(thing: object, device: torch.device) -> object:
        moved.append(f"{type(thing).__name__} to {device}")
        return thing

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.nn.Module, "to", to)
    monkeypatch.setattr(BatchEncoding, "to", to)
    head = a_head(made)
    assert [said.label for said in head.judge(TEXTS)] == TOLD
    assert head.device.type == "cuda"
    assert moved[:2] == ["BertForSequenceClassification to cuda", "BatchEncoding to cuda"]
    assert set(moved[1:]) == {"BatchEncoding to cuda"}


def test_a_model_that_gives_no_numbers_is_refused(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that overflow would else choose the first label for everybody."""
    model = AutoModelForSequenceClassification.from_pretrained(copied)
    model.classifier.bias.data[0] = float("nan")
    model.save_pretrained(copied)
    assert "gives no numbers" in refusal(copied)


# ── several models as one ────────────────────────────────────────────────────────────────────────


class Says:
    """A head that always says the same."""

    name = "says"

    def __init__(self, head: Head, label: str, share: float = 0.9, truncated: bool = False) -> None:
        self.head: Head = head
        self._said = HeadVerdict(label, share, truncated)

    def judge(self, texts: Sequence[str]) -> list[HeadVerdict]:
        return [self._said] * len(texts)


class Base(LookUpModel):
    """A bundled model that says what it is told to."""

    name = "base"

    def __init__(self, verdict: Classification) -> None:
        self._verdict = verdict

    def classify(
        self,
        texts: Sequence[str],
        *,
        topics: Mapping[str, Sequence[str]] | None = None,
        handles: Collection[str] | None = None,
    ) -> list[Classification]:
        return [self._verdict] * len(texts)


def composed(verdict: Classification, *heads: Says) -> Classification:
    (said,) = Composed(Base(verdict), heads).classify(["a text"])
    return said


def test_only_the_named_head_is_replaced() -> None:
    """Everything else stays as the bundled model has it."""
    before = judged(Urgency.NORMAL, Intent.BUG, Sentiment.NEGATIVE, topics=("fares",))
    after = composed(before, Says("sentiment", "positive", 0.7))
    assert (after.sentiment, after.intent, after.urgency) == (Sentiment.POSITIVE, Intent.BUG, Urgency.NORMAL)
    assert after.confidence == Confidence(sentiment=0.7, intent=0.9, urgency=0.9)
    assert (after.topics, after.language) == (before.topics, before.language)
    assert after.model == "base + sentiment: says"
    assert composed(before, Says("intent", "praise")).intent is Intent.PRAISE


def test_what_a_word_rule_raised_stays_raised() -> None:
    """No model calms a rule down, and the rule is as sure as ever."""
    threat = judged(Urgency.CRITICAL, topics=(Topic.THREAT,))
    calmed = composed(threat, Says("urgency", "low", 0.3))
    assert (calmed.urgency, calmed.confidence.urgency, calmed.doubts) == (Urgency.CRITICAL, 1.0, ())
    assert composed(judged(Urgency.CRITICAL), Says("urgency", "low")).urgency is Urgency.LOW
    assert composed(judged(Urgency.LOW), Says("urgency", "critical")).urgency is Urgency.CRITICAL


def test_a_replaced_head_has_doubts_of_its_own() -> None:
    """Below one half; the bundled model's doubt about that head is no longer asked, the others stay."""
    doubtful = Classification(
        Sentiment.NEUTRAL,
        Intent.OTHER,
        Urgency.LOW,
        Confidence(0.4, 0.4, 0.4),
        doubts=(Doubt.SENTIMENT, Doubt.INTENT, Doubt.LANGUAGE),
    )
    assert composed(doubtful, Says("sentiment", "positive", 0.5)).doubts == (Doubt.INTENT, Doubt.LANGUAGE)
    assert composed(judged(), Says("sentiment", "positive", 0.49)).doubts == (Doubt.SENTIMENT,)
    both = composed(judged(), Says("urgency", "low", 0.4), Says("intent", "bug", 0.4))
    assert both.doubts == (Doubt.INTENT, Doubt.URGENCY)


def test_a_text_that_either_model_cut_was_cut() -> None:
    """A person can see that a verdict is on the beginning only."""
    assert composed(judged(), Says("sentiment", "positive", truncated=True)).truncated
    assert not composed(judged(), Says("sentiment", "positive")).truncated


def test_the_whole_model_is_put_together_from_what_is_chosen(made: Path) -> None:
    """By name under `classifier.model`, or under the head: the bundled model keeps the other heads."""
    told: list[str] = []
    texts = ["@acme the app is bad", "@acme how do I change the address of my order? good"]
    bundled = Classifier.load()
    before = bundled.classify(texts, handles={"acme"})
    for choice in (Choice(str(made)), Choice(heads={"sentiment": Wanted(str(made))})):
        model = load(choice, threads=1, say=told.append)
        after = model.classify(texts, handles={"acme"}, topics={"orders": ["order"]})
        assert [one.sentiment for one in after] == [Sentiment.NEGATIVE, Sentiment.POSITIVE]
        assert [(one.intent, one.urgency) for one in after] == [(one.intent, one.urgency) for one in before]
        assert after[1].topics == ("orders",)
        assert model.embed(texts) == bundled.embed(texts)
        assert model.name.startswith(f"{bundled.name} + sentiment: {made.name}@")
    assert all(line.startswith("sentiment is judged by") and line.endswith(" on cpu") for line in told)
    assert load(Choice(), threads=1, say=told.append).name == bundled.name


def test_two_models_for_one_head_are_refused(made: Path) -> None:
    """One of them would silently do nothing."""
    choice = Choice(str(made), {"sentiment": Wanted(str(made))})
    with pytest.raises(ModelUnavailable, match="keep one of them"):
        load(choice, threads=1, say=print)


def test_transformers_is_asked_for_what_is_safe_only(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Safetensors, no code, no network."""
    asked: list[dict[str, object]] = []
    real = AutoModelForSequenceClassification.from_pretrained

    def recording(folder: Path, **options: object) -> object:
        asked.append(options)
        return real(folder, **options)

    monkeypatch.setattr(AutoModelForSequenceClassification, "from_pretrained", recording)
    a_head(made)
    (options,) = asked
    wanted = {"use_safetensors": True, "trust_remote_code": False, "local_files_only": True}
    assert wanted.items() <= options.items()


def reference(folder: Path, text: str) -> torch.Tensor:
    """What transformers itself says of one text, alone and unpadded."""
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        logits = model(**tokenizer()(text, return_tensors="pt")).logits[0]
    return torch.softmax(logits.double(), dim=0)
