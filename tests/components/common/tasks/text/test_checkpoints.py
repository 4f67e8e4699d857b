import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from components.common.errors import UserError
from components.common.tasks.text.checkpoints import read_checkpoint
from components.common.tasks.text.models.pretrained import read_encoder
from components.common.tasks.text.weights import encoder_digest, local_encoder
from tests.builders.encoders import SHAPES, VOCABULARY, Encoder, make_encoder

QUERY = "bert.encoder.layer.1.attention.self.query.weight"


def read(folder: Path, length: int = 8) -> dict[str, Any]:
    return read_encoder(read_checkpoint(folder), length)


def with_config(encoder: Encoder, **changes: Any) -> Encoder:
    config = {**encoder.config, **changes}
    kept = {key: value for key, value in config.items() if value is not None}
    return dataclasses.replace(encoder, config=kept)


def with_tensor(encoder: Encoder, name: str, value: Any) -> Encoder:
    tensors = {**encoder.tensors, name: value}
    kept = {key: tensor for key, tensor in tensors.items() if tensor is not None}
    return dataclasses.replace(encoder, tensors=kept)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_layer_with_weights_gets_its_own(shape: str, tmp_path: Path) -> None:
    weights = read(make_encoder(shape).write(tmp_path))
    assert ("segments" in weights) == (shape != "distilbert")
    assert ("projection" in weights) == (shape == "electra")
    assert weights["positions"][0].shape[0] == 8
    assert weights["layer1_widen"][0].shape == (24, 40)


def test_tensors_may_be_of_half_precision(tmp_path: Path) -> None:
    encoder = make_encoder("bert")
    narrow = {
        name: tensor.astype(ml_dtypes.bfloat16 if "query" in name else np.float16)
        for name, tensor in encoder.tensors.items()
    }
    weights = read(dataclasses.replace(encoder, tensors=narrow).write(tmp_path))
    expected = encoder.tensors[QUERY].T
    assert weights["layer1_query"][0].dtype == np.float32
    np.testing.assert_allclose(weights["layer1_query"][0], expected, rtol=2**-8)


def test_norms_may_have_their_old_names(tmp_path: Path) -> None:
    encoder = make_encoder("bert")
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): tensor
        for name, tensor in encoder.tensors.items()
    }
    found = read(dataclasses.replace(encoder, tensors=old).write(tmp_path / "old"))
    expected = read(encoder.write(tmp_path / "today"))
    np.testing.assert_array_equal(found["layer0_norm"], expected["layer0_norm"])


def test_rows_that_pad_the_table_of_tokens_are_dropped(tmp_path: Path) -> None:
    encoder = make_encoder("minilm")
    name = "embeddings.word_embeddings.weight"
    table = np.concatenate([encoder.tensors[name], np.zeros((128 - len(VOCABULARY), 24))])
    padded = with_config(with_tensor(encoder, name, table.astype(np.float32)), vocab_size=128)
    weights = read(padded.write(tmp_path))
    np.testing.assert_array_equal(weights["words"][0], encoder.tensors[name])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda e: with_config(e, model_type="roberta"), ["config.json", "'roberta'", "electra"]),
        (lambda e: with_config(e, model_type=None), ["config.json", "model_type", "None"]),
        (lambda e: with_config(e, hidden_size=None), ["config.json", "hidden_size"]),
        (lambda e: with_config(e, num_attention_heads=5), ["config.json", "5 heads"]),
        (lambda e: with_config(e, num_hidden_layers=10**9), ["config.json", "num_hidden_layers"]),
        (lambda e: with_config(e, vocab_size="many"), ["config.json", "vocab_size"]),
        (lambda e: with_config(e, layer_norm_eps=-1.0), ["config.json", "layer_norm_eps"]),
        (lambda e: with_config(e, hidden_act="swish"), ["config.json", "hidden_act", "'swish'"]),
        (
            lambda e: with_config(e, position_embedding_type="relative_key"),
            ["config.json", "position_embedding_type", "'relative_key'"],
        ),
        (lambda e: with_config(e, vocab_size=30522), ["vocab.txt", "30,522", str(len(VOCABULARY))]),
        (lambda e: with_config(e, vocab_size=len(VOCABULARY) - 1), ["vocab.txt", "do not fit"]),
        (lambda e: with_config(e, num_hidden_layers=1), ["model.safetensors", "more than the 1"]),
        (lambda e: with_config(e, intermediate_size=41), ["intermediate.dense.weight", "(41, 24)"]),
        (lambda e: with_tensor(e, QUERY, None), ["model.safetensors", "1.attention.self.query"]),
        (lambda e: with_tensor(e, QUERY, np.zeros((24, 24))), [QUERY, "F64", "F16"]),
        (
            lambda e: with_tensor(e, QUERY, np.full((24, 24), np.nan, np.float32)),
            [QUERY, "not finite"],
        ),
        (
            lambda e: with_tensor(e, "bert.embeddings.word_embeddings.weight", None),
            ["model.safetensors", "embeddings.word_embeddings.weight"],
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    change: Callable[[Encoder], Encoder], words: list[str], tmp_path: Path
) -> None:
    folder = change(make_encoder("bert")).write(tmp_path)
    with pytest.raises(UserError) as refused:
        read(folder)
    for word in (str(tmp_path), *words):
        assert word in str(refused.value)


def test_a_length_over_the_positions_is_refused(tmp_path: Path) -> None:
    folder = make_encoder("bert").write(tmp_path)
    with pytest.raises(UserError, match=r"32 positions.*33 tokens"):
        read(folder, length=33)


@pytest.mark.parametrize("name", ["config.json", "vocab.txt", "model.safetensors"])
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    folder = make_encoder("bert").write(tmp_path)
    (folder / name).unlink()
    with pytest.raises(UserError, match=name):
        read(folder)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("config.json", b"{"),
        ("config.json", b"[" * 100_000),
        ("config.json", b"[]"),
        ("vocab.txt", b"\xff\xfe\n"),
        ("model.safetensors", b"\xff" * 64),
        ("model.safetensors", b""),
    ],
)
def test_a_damaged_file_is_named(name: str, data: bytes, tmp_path: Path) -> None:
    folder = make_encoder("bert").write(tmp_path)
    (folder / name).write_bytes(data)
    with pytest.raises(UserError, match=name):
        read(folder)


def test_a_file_of_weights_that_was_cut_is_named(tmp_path: Path) -> None:
    path = make_encoder("bert").write(tmp_path) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"model\.safetensors"):
        read(tmp_path)


def test_a_folder_is_known_by_content_and_not_by_place(tmp_path: Path) -> None:
    first = local_encoder(str(make_encoder("bert").write(tmp_path / "a")), tmp_path)
    second = local_encoder(str(make_encoder("bert").write(tmp_path / "b")), tmp_path)
    assert encoder_digest(first) == encoder_digest(second)
    config = json.loads((second / "config.json").read_text())
    (second / "config.json").write_text(json.dumps({**config, "layer_norm_eps": 1e-5}))
    assert encoder_digest(first) != encoder_digest(second)


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    folder = make_encoder("bert").write(tmp_path)
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"model\.safetensors"):
        local_encoder(str(folder), tmp_path)
