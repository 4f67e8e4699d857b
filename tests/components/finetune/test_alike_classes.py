"""Classes that a model doesn't tell apart are told of before it is trained."""

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.common.documents.bundle import ModelBundle
from components.common.documents.dataset import DatasetManifest
from components.common.errors import UserError
from components.common.keras import keras
from components.common.process.events import Events
from components.common.tasks.image.models.backbones import BACKBONES
from components.common.tasks.reading import read_examples
from components.common.training.session import Session
from components.finetune import alike_classes, stage
from components.finetune.alike_classes import check_classes, find_alike_classes
from components.finetune.config import FinetuneConfig, TextFinetuneConfig
from components.finetune.fine_tuning import build_model
from tests.builders.encoders import make_encoder
from tests.builders.synthetic import run_context
from tests.components.preprocess.folders import preprocess

pytestmark = pytest.mark.xdist_group("fine_tuning")

PER_CLASS = 50
WORDS = ("a", "of", "film", "film", "the", "bad")
COLOURS = {"blue": (40, 60, 200), "crimson": (200, 50, 40), "red": (200, 50, 40)}


@dataclasses.dataclass(frozen=True)
class Data:
    manifest: DatasetManifest
    session: Session
    work: Path
    train: dict[str, str]
    """Id -> class, of the training split."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """Pictures of three classes, of which two show the same."""
    work = tmp_path_factory.mktemp("alike")
    chance = np.random.default_rng(3)
    for name, colour in COLOURS.items():
        folder = work / "source" / name
        folder.mkdir(parents=True)
        for number in range(PER_CLASS):
            pixels = chance.normal(colour, 30, (8, 8, 3)) + chance.normal(0, 10, 3)
            picture = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
            picture.save(folder / f"{number}.png")
    manifest = preprocess(work, folder=str(work / "source"), channels=3)
    storage = run_context(work).data()
    session = Session(
        manifest=manifest,
        spec=BACKBONES["small_cnn"].input_spec(manifest.spec),
        train=[],
        validation=[],
        events=Events("test"),
        storage=storage,
    )
    train = {
        example.id: manifest.class_names[example.label]
        for example in read_examples(manifest, "train", storage)
    }
    return Data(manifest, session, work, train)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """Sees the mean colour of a picture."""
    inputs = keras.layers.Input((8, 8, 3))
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(inputs)
    return keras.Model(inputs, keras.layers.Dense(3, name="head")(pooled))


def test_classes_of_like_pictures_are_told_with_pictures_of_both(data, model):
    (pair,) = find_alike_classes(model, data.session)
    assert (pair.one, pair.other) == ("crimson", "red")
    assert "crimson and red can't be told apart" in pair.told()
    assert f"{pair.strangers} of {pair.neighbours} nearest neighbours" in pair.told()
    assert len(pair.pairs) == alike_classes._SHOWN
    assert {tuple(map(data.train.get, ids)) for ids in pair.pairs} == {("crimson", "red")}
    assert len({id_ for ids in pair.pairs for id_ in ids}) == 2 * alike_classes._SHOWN


def test_it_warns_stops_or_does_not_look(data, model, capsys):
    assert len(check_classes(model, "warn", data.session)) == 1
    assert "warn: alike_classes: crimson and red can't be told apart" in capsys.readouterr().out
    with pytest.raises(UserError, match="before it is trained:\n  alike_classes: crimson and red"):
        check_classes(model, "stop", data.session)
    unread = dataclasses.replace(data.session, storage=None)
    assert check_classes(model, "ignore", unread) == ()


def test_no_more_examples_are_looked_at_than_it_takes(data, monkeypatch):
    monkeypatch.setattr(alike_classes, "_PER_CLASS", 22)
    labels = [example.label for example in alike_classes._sample(data.session)]
    assert np.bincount(labels).tolist() == [22, 22, 22]
    monkeypatch.setattr(alike_classes, "_IN_ALL", 3)  # So few would tell nothing.
    labels = [example.label for example in alike_classes._sample(data.session)]
    assert np.bincount(labels).tolist() == [20, 20, 20]
    monkeypatch.setattr(alike_classes, "_SEARCHED", 10)
    assert len(alike_classes._sample(data.session)) == 10


def test_a_class_with_too_few_examples_is_not_read_for(data):
    few = data.manifest.splits["train"].model_copy(update={"examples_per_class": (30, 19, 30)})
    splits = {**data.manifest.splits, "train": few}
    manifest = data.manifest.model_copy(update={"splits": splits})
    session = dataclasses.replace(data.session, manifest=manifest)
    assert {example.label for example in alike_classes._sample(session)} == {0, 2}


@pytest.fixture(scope="module")
def config(data, tmp_path_factory: pytest.TempPathFactory) -> FinetuneConfig:
    """Trains a head on a backbone with some weights."""
    path = str(tmp_path_factory.mktemp("weights") / "weights.h5")
    config = FinetuneConfig(backbone="small_cnn", width=0.25, epochs=1, mixed_precision="off")
    model = build_model(config, data.session.spec, len(COLOURS), weights="none")
    keras.Model(model.input, model.get_layer("pool").input).save_weights(path)
    return config.model_copy(update={"weights": path})


def finetune(data: Data, config: FinetuneConfig, bundle: Path) -> ModelBundle:
    context = run_context(data.work).to_json()
    stage.STAGE.run(
        dataset=data.work / "dataset", config=config.to_json(), context=context, bundle=bundle
    )
    return ModelBundle.read(bundle)


@pytest.mark.slow
def test_a_bundle_tells_of_them_and_the_model_is_the_one_it_is_without(data, config, tmp_path):
    (pair,) = finetune(data, config, tmp_path / "warned").alike_classes
    assert (pair.one, pair.other) == ("crimson", "red")
    ignoring = config.model_copy(update={"alike_classes": "ignore"})
    assert finetune(data, ignoring, tmp_path / "ignored").alike_classes == ()
    warned, ignored = (tmp_path / name / "weights.npz" for name in ("warned", "ignored"))
    assert warned.read_bytes() == ignored.read_bytes()


def test_a_run_can_be_stopped_by_them_before_its_training(data, config, tmp_path):
    with pytest.raises(SystemExit) as caught:
        finetune(data, config.model_copy(update={"alike_classes": "stop"}), tmp_path / "bundle")
    assert caught.value.code == 2
    assert not (tmp_path / "bundle").exists()


@pytest.mark.slow
def test_texts_are_compared_by_what_an_encoder_makes_of_them(tmp_path):
    encoder = str(make_encoder("bert").write(tmp_path / "encoder"))
    words = {"bad": "very bad was", "poor": "very bad was", "fair": "the film fair"}
    chance = np.random.default_rng(1)
    rows = [
        [f"{' '.join(chance.choice(own.split(), 8))} {' '.join(chance.choice(WORDS, 2))}", label]
        for label, own in words.items()
        for _ in range(PER_CLASS)
    ]
    with (tmp_path / "texts.csv").open("w") as file:
        csv.writer(file).writerows([["text", "label"], *rows])
    source = str(tmp_path / "texts.csv")
    manifest = preprocess(tmp_path, text={"length": 12}, encoder=encoder, list=source)
    model = build_model(TextFinetuneConfig(encoder=encoder), manifest.spec, 3, weights=encoder)
    session = Session(
        manifest=manifest,
        spec=manifest.spec,
        train=[],
        validation=[],
        events=Events("test"),
        storage=run_context(tmp_path).data(),
    )
    (pair,) = find_alike_classes(model, session)
    assert {pair.one, pair.other} == {"bad", "poor"}
    assert "makes of their texts" in pair.told()


def test_each_example_is_shown_in_one_pair_alone(data):
    examples = list(read_examples(data.manifest, "train", data.session.storage))[:8]
    pairs = np.array([(0, 4), (0, 5), (1, 4), (1, 5), (2, 6), (3, 7)])
    told = list(alike_classes._distinct_pairs(pairs, examples))
    assert told == [(examples[n].id, examples[4 + n].id) for n in range(3)]
