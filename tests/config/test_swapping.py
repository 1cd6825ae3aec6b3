"""The model that changes while Heard runs: taken over whole, never at a batch's cost, never a broken one."""

import threading
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from casework.classification import Classification
from casework.clock import ManualClock
from classifier.bundle import ModelUnavailable
from config import commands
from config.models import Models, Stamp
from config.swapping import LOOK_EVERY, SwappingModel
from responder.knowledge import Article, KnowledgeBase
from tests.config.test_models import NOON, a_bundle, name_in, use
from tests.fakes import embedding
from tests.fakes.cases import judged


class NamedModel:
    """Says of each text who judged it; a folder with the file ``broken`` cannot be loaded."""

    def __init__(self, folder: Path) -> None:
        self.name = name_in(folder)
        if (folder / "broken").exists():
            raise RuntimeError("weights of another\nmake")

    def classify(
        self,
        texts: Sequence[str],
        *,
        topics: Mapping[str, Sequence[str]] | None = None,
        handles: Collection[str] | None = None,
    ) -> list[Classification]:
        return [judged(topics=(self.name,)) for _ in texts]

    def embed(self, texts: Sequence[str], *, handles: Collection[str] | None = None) -> list[list[float]]:
        turn = 1 if self.name == "heard-0" else -1
        return [[turn * part for part in vector] for vector in embedding.embed(texts)]


class World:
    """Models of a folder, a clock, and what was told."""

    def __init__(self, folder: Path) -> None:
        bundled = a_bundle(folder / "shipped", "heard-0")
        self.folder = folder
        self.models = Models(folder / "models", read=name_in, bundled=bundled)
        self.clock = ManualClock(NOON)
        self.told: list[str] = []
        self.loaded: list[Path] = []

    def load(self, folder: Path) -> NamedModel:
        self.loaded.append(folder)
        return NamedModel(folder)

    def model(self) -> SwappingModel:
        return SwappingModel(self.models, self.load, clock=self.clock, tell=self.told.append)

    def choose(self, number: int, *, broken: bool = False) -> None:
        use(self.models, a_bundle(self.folder / f"out-{number}", f"heard-{number}"))
        if broken:
            (self.models.place(f"heard-{number}") / "broken").touch()

    def later(self, by: timedelta = LOOK_EVERY) -> None:
        self.clock.advance(by)


def judges(model: SwappingModel, texts: int = 3) -> set[str]:
    """The names of the weights that judged one batch."""
    verdicts = model.classify(["a post"] * texts)
    assert len(verdicts) == texts
    return {verdict.topics[0] for verdict in verdicts}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_chosen_model_judges_from_the_start(world: World) -> None:
    """And the bundled one where nobody chose."""
    assert judges(world.model()) == {"heard-0"}
    world.choose(1)
    assert (judges(world.model()), world.told) == ({"heard-1"}, [])


def test_a_new_choice_is_taken_over_before_a_batch(world: World) -> None:
    """Within seconds, said in one sentence; the name tells which weights judge."""
    model = world.model()
    world.choose(1)
    world.later()

    assert judges(model) == {"heard-1"}
    assert model.name == "heard-1"
    assert world.told == ["heard-1 judges from now on, in the place of heard-0"]

    world.models.undo(by="Nina", at=NOON)
    world.later()
    assert judges(model) == {"heard-0"}


def test_it_looks_at_most_every_few_seconds(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that judges a thousand batches a second does not ask the disk a thousand times."""
    looks = list[int]()
    plain = Models.stamp

    def counted(models: Models) -> Stamp | None:
        looks.append(1)
        return plain(models)

    monkeypatch.setattr(Models, "stamp", counted)
    model = world.model()
    looks.clear()
    for _ in range(100):
        judges(model)
    assert looks == []

    for _ in range(100):
        world.later(LOOK_EVERY / 10)
        judges(model)
    assert len(looks) == 10


def test_a_batch_is_judged_by_one_model(world: World) -> None:
    """Also while the choice changes under it: thousands of batches of four threads, none mixed or lost."""
    model = world.model()
    for number in (1, 2):
        world.choose(number)
    mixed, done, errors = list[set[str]](), list[int](), list[BaseException]()
    stop = threading.Event()

    def judge() -> None:
        try:
            while not stop.is_set():
                names = judges(model, texts=20)
                done.append(1)
                if len(names) != 1:
                    mixed.append(names)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=judge) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(30):
        world.models.undo(by="Nina", at=NOON)
        world.later()
        judges(model)
    stop.set()
    for thread in threads:
        thread.join()

    assert (mixed, errors) == ([], [])
    assert len(done) > 30
    assert 1 < len(world.told) <= 30


def test_nobody_waits_for_the_thread_that_loads(world: World) -> None:
    """The old model judges while the new one comes up."""
    model = world.model()
    loading, go_on = threading.Event(), threading.Event()
    world.choose(1)
    plain = world.load

    def slow(folder: Path) -> NamedModel:
        loading.set()
        assert go_on.wait(10)
        return plain(folder)

    model._load = slow
    world.later()
    first = list[set[str]]()
    loader = threading.Thread(target=lambda: first.append(judges(model)))
    loader.start()
    assert loading.wait(10)
    started = time.monotonic()
    meanwhile = judges(model)
    waited = time.monotonic() - started
    go_on.set()
    loader.join()

    assert (meanwhile, first) == ({"heard-0"}, [{"heard-1"}])
    assert waited < 5


@pytest.mark.parametrize("wrong", ["broken", "missing", "unreadable"])
def test_a_new_choice_that_fails_leaves_the_model_before_at_work(world: World, wrong: str) -> None:
    """One sentence, once; the next good choice is taken."""
    world.choose(1)
    model = world.model()
    world.choose(2, broken=wrong == "broken")
    if wrong == "missing":
        (world.models.place("heard-2") / "name").unlink()
    if wrong == "unreadable":
        world.models.active.write_text("{")
    for _ in range(3):
        world.later()
        assert judges(model) == {"heard-1"}

    (said,) = world.told
    assert said.startswith("the newly chosen model cannot be used, heard-1 goes on: ")
    assert "\n" not in said

    world.choose(3)
    world.later()
    assert judges(model) == {"heard-3"}


@pytest.mark.parametrize("wrong", ["broken", "missing", "unreadable"])
def test_a_choice_that_is_broken_at_the_start_leaves_the_bundled_model(world: World, wrong: str) -> None:
    """The bot hears on, and people are told."""
    world.choose(1, broken=wrong == "broken")
    if wrong == "missing":
        (world.models.place("heard-1") / "name").unlink()
    if wrong == "unreadable":
        world.models.active.write_text("{")
    model = world.model()

    assert judges(model) == {"heard-0"}
    (said,) = world.told
    assert said.startswith("the chosen model cannot be used, the bundled one judges instead: ")

    world.choose(2)
    world.later()
    assert judges(model) == {"heard-2"}


def test_a_mended_model_is_tried_again_when_it_is_chosen_again(world: World) -> None:
    """Also though its name is the same."""
    world.choose(1, broken=True)
    model = world.model()
    (world.models.place("heard-1") / "broken").unlink()
    use(world.models, "heard-1")
    world.later()

    assert judges(model) == {"heard-1"}


def test_without_any_model_it_says_what_is_wrong(world: World) -> None:
    """Where not even the bundled one is whole there is nothing to judge with."""
    (world.models.bundled / "name").unlink()

    with pytest.raises(ModelUnavailable):
        world.model()


def test_articles_are_found_by_vectors_of_one_model(world: World) -> None:
    """Those of two models point anywhere: the articles are read again when the model has changed."""
    model = world.model()
    articles = [
        Article("BAGS", "Delayed bags", ("Where is my bag?",), {"en": "We look."}),
        Article("PETS", "Pets on board", ("May my dog fly?",), {"en": "Yes."}),
    ]
    knowledge = KnowledgeBase(articles, model.embed, weights=lambda: model.name)
    before = knowledge.nearest("Where is my bag?")
    world.choose(1)
    world.later()
    after = knowledge.nearest("Where is my bag?")

    assert before is not None
    assert model.name == "heard-1"
    assert after == before


def test_the_command_line_judges_with_the_chosen_model(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder in the settings has the last word."""
    loaded = list[Path]()

    def load(folder: Path, *, threads: int) -> object:
        loaded.append(folder)
        return object()

    monkeypatch.setattr("classifier.model.Classifier.load", load)
    assert isinstance(commands.load_model(), SwappingModel)
    monkeypatch.setenv("HEARD_CLASSIFIER__MODEL", str(home / "mine"))
    commands.load_model()

    assert loaded[1] == home / "mine"
