from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from components.common.documents.encoder import TextArchitecture
from components.common.keras import keras
from components.common.tasks.text.checkpoints import Checkpoint, read_checkpoint
from components.common.tasks.text.models.classifier import build_classifier
from components.common.tasks.text.models.pretrained import assign_encoder
from components.common.tasks.text.weights import packaged_encoder
from tests.builders.encoders import SHAPES, make_encoder, text_spec
from tests.components.common.tasks.text.models.reference import Reference

LENGTH = 20


def build(architecture: TextArchitecture, checkpoint: Checkpoint, length: int) -> keras.Model:
    spec = text_spec(length=length, tokens=checkpoint.vocabulary.tokens)
    return build_classifier(architecture, spec, 3)


def made(checkpoint: Checkpoint, length: int, **fields: object) -> keras.Model:
    architecture = TextArchitecture(encoder=checkpoint.spec, **fields)
    model = build(architecture, checkpoint, length)
    assign_encoder(model, checkpoint)
    return keras.Model(model.input, model.get_layer("pool").output)


def draw_texts(
    checkpoint: Checkpoint, length: int, count: int
) -> list[tuple[list[int], list[int]]]:
    """Returns ids and segments of texts of any length, the full one among them."""
    random = np.random.default_rng(0)
    sizes = [length, 1, *random.integers(2, length, count - 2)]
    kinds = max(1, checkpoint.spec.segments)
    return [
        (
            random.integers(0, len(checkpoint.vocabulary.tokens), size).tolist(),
            random.integers(0, kinds, size).tolist(),
        )
        for size in sizes
    ]


def padded(texts: list[tuple[list[int], list[int]]], length: int) -> npt.NDArray[np.int32]:
    tokens = np.zeros((len(texts), 3, length), np.int32)
    for row, (ids, segments) in zip(tokens, texts, strict=True):
        row[:, : len(ids)] = ids, [1] * len(ids), segments
    return tokens


@pytest.mark.parametrize(
    ("shape", "pooling"),
    # Every shape and both ways of pooling; the one knows nothing of the other.
    [(shape, ("mean", "first")[number % 2]) for number, shape in enumerate(SHAPES)],
)
def test_the_graph_computes_what_the_papers_say(shape: str, pooling: str, tmp_path: Path) -> None:
    folder = make_encoder(shape).write(tmp_path)
    checkpoint, reference = read_checkpoint(folder), Reference(folder)
    texts = draw_texts(checkpoint, LENGTH, 6)
    model = made(checkpoint, LENGTH, pooling=pooling)
    found = model(padded(texts, LENGTH)).numpy()
    outputs = [reference.tokens(ids, segments) for ids, segments in texts]
    expected = [each.mean(axis=0) if pooling == "mean" else each[0] for each in outputs]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_minilm_computes_what_the_papers_say() -> None:
    checkpoint = read_checkpoint(packaged_encoder("minilm_l6"))
    reference = Reference(checkpoint.folder)
    texts = draw_texts(checkpoint, 64, 4)
    found = made(checkpoint, 64)(padded(texts, 64)).numpy()
    expected = [reference.tokens(ids, segments).mean(axis=0) for ids, segments in texts]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_what_pads_a_text_changes_nothing(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(make_encoder("bert").write(tmp_path))
    model = made(checkpoint, LENGTH)
    tokens = padded(draw_texts(checkpoint, LENGTH, 6)[1:], LENGTH)
    other = np.where(tokens[:, 1:2] == 0, [[[7], [0], [1]]], tokens)
    np.testing.assert_allclose(model(other).numpy(), model(tokens).numpy(), rtol=0, atol=1e-6)


@pytest.mark.slow
def test_layers_are_named_alike_whatever_was_built_before(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(make_encoder("electra").write(tmp_path))
    architecture = TextArchitecture(encoder=checkpoint.spec)
    first, second = (build(architecture, checkpoint, 8) for _ in range(2))
    assert [layer.name for layer in first.layers] == [layer.name for layer in second.layers]
