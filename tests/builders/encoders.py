"""Small pretrained encoders with random weights, in folders as Hugging Face's tools write them."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from components.common.documents.text import TextSpec

VOCABULARY = (
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]",
    *(f"{mark}{letter}" for mark in ("", "##") for letter in "abcdefghijklmnopqrstuvwxyz"),
    *"0123456789.,!?",
    "good", "bad", "film", "##s", "##ly", "the", "was", "very", "un", "##fair", "fair", "##ing",
)  # fmt: skip
VOCABULARY = tuple(dict.fromkeys(VOCABULARY))

_SIZES = {"hidden": 24, "heads": 3, "layers": 2, "intermediate": 40, "positions": 32}

SHAPES = ("bert", "minilm", "distilbert", "electra")


@dataclasses.dataclass(frozen=True)
class Encoder:
    """A folder's content: its configuration and its tensors, by their names in PyTorch."""

    config: Mapping[str, Any]
    tensors: Mapping[str, npt.NDArray[Any]]

    def write(self, folder: Path, *, vocabulary: tuple[str, ...] = VOCABULARY) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(self.config))
        (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in vocabulary))
        save_file(dict(self.tensors), folder / "model.safetensors")
        return folder


def make_encoder(shape: str, *, seed: int = 0) -> Encoder:
    """Returns an encoder of one of SHAPES.

    They differ as the real ones do: BERT's names have a prefix and its file a pooler, MiniLM's
    have none, DistilBERT knows no segments and has names of its own, ELECTRA-small projects
    smaller embeddings and takes tanh for the error function here.
    """
    return {
        "bert": lambda: _bert(seed, prefix="bert.", act="gelu"),
        "minilm": lambda: _bert(seed, prefix="", act="gelu"),
        "electra": lambda: _electra(seed),
        "distilbert": lambda: _distilbert(seed),
    }[shape]()


def _config(family: str, act: str) -> dict[str, Any]:
    return {
        "model_type": family,
        "vocab_size": len(VOCABULARY),
        "hidden_size": _SIZES["hidden"],
        "num_attention_heads": _SIZES["heads"],
        "num_hidden_layers": _SIZES["layers"],
        "intermediate_size": _SIZES["intermediate"],
        "max_position_embeddings": _SIZES["positions"],
        "type_vocab_size": 2,
        "hidden_act": act,
        "layer_norm_eps": 1e-12,
    }


class _Draw:
    """Random tensors: kernels and tables of the size that trained ones have, norms near one."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self.tensors: dict[str, npt.NDArray[Any]] = {}

    def table(self, name: str, rows: int, columns: int) -> None:
        self._add(f"{name}.weight", self._random.normal(0, 0.3, (rows, columns)))

    def dense(self, name: str, outputs: int, inputs: int) -> None:
        self._add(f"{name}.weight", self._random.normal(0, 0.25, (outputs, inputs)))
        self._add(f"{name}.bias", self._random.normal(0, 0.1, outputs))

    def norm(self, name: str, units: int) -> None:
        self._add(f"{name}.weight", self._random.normal(1, 0.1, units))
        self._add(f"{name}.bias", self._random.normal(0, 0.1, units))

    def _add(self, name: str, values: npt.NDArray[Any]) -> None:
        self.tensors[name] = values.astype(np.float32)


def _embeddings(draw: _Draw, units: int, *, segments: bool) -> None:
    draw.table("embeddings.word_embeddings", len(VOCABULARY), units)
    draw.table("embeddings.position_embeddings", _SIZES["positions"], units)
    if segments:
        draw.table("embeddings.token_type_embeddings", 2, units)
    draw.norm("embeddings.LayerNorm", units)


def _bert_blocks(draw: _Draw) -> None:
    hidden, intermediate = _SIZES["hidden"], _SIZES["intermediate"]
    for number in range(_SIZES["layers"]):
        block = f"encoder.layer.{number}"
        for part in ("query", "key", "value"):
            draw.dense(f"{block}.attention.self.{part}", hidden, hidden)
        draw.dense(f"{block}.attention.output.dense", hidden, hidden)
        draw.norm(f"{block}.attention.output.LayerNorm", hidden)
        draw.dense(f"{block}.intermediate.dense", intermediate, hidden)
        draw.dense(f"{block}.output.dense", hidden, intermediate)
        draw.norm(f"{block}.output.LayerNorm", hidden)


def _bert(seed: int, *, prefix: str, act: str) -> Encoder:
    draw = _Draw(seed)
    _embeddings(draw, _SIZES["hidden"], segments=True)
    _bert_blocks(draw)
    draw.dense("pooler.dense", _SIZES["hidden"], _SIZES["hidden"])
    return Encoder(_config("bert", act), _prefixed(draw, prefix))


def _electra(seed: int) -> Encoder:
    draw, embedding = _Draw(seed), 16
    _embeddings(draw, embedding, segments=True)
    draw.dense("embeddings_project", _SIZES["hidden"], embedding)
    _bert_blocks(draw)
    config = {**_config("electra", "gelu_new"), "embedding_size": embedding}
    return Encoder(config, _prefixed(draw, "electra."))


def _distilbert(seed: int) -> Encoder:
    draw, hidden = _Draw(seed), _SIZES["hidden"]
    _embeddings(draw, hidden, segments=False)
    for number in range(_SIZES["layers"]):
        block = f"transformer.layer.{number}"
        for part in ("q_lin", "k_lin", "v_lin", "out_lin"):
            draw.dense(f"{block}.attention.{part}", hidden, hidden)
        draw.norm(f"{block}.sa_layer_norm", hidden)
        draw.dense(f"{block}.ffn.lin1", _SIZES["intermediate"], hidden)
        draw.dense(f"{block}.ffn.lin2", hidden, _SIZES["intermediate"])
        draw.norm(f"{block}.output_layer_norm", hidden)
    config = {
        "model_type": "distilbert",
        "vocab_size": len(VOCABULARY),
        "dim": hidden,
        "n_heads": _SIZES["heads"],
        "n_layers": _SIZES["layers"],
        "hidden_dim": _SIZES["intermediate"],
        "max_position_embeddings": _SIZES["positions"],
        "activation": "gelu",
    }
    return Encoder(config, _prefixed(draw, "distilbert."))


def _prefixed(draw: _Draw, prefix: str) -> dict[str, npt.NDArray[Any]]:
    return {f"{prefix}{name}": values for name, values in draw.tensors.items()}


def text_spec(*, length: int, tokens: tuple[str, ...] = VOCABULARY) -> TextSpec:
    """Returns how texts of so many tokens lie in examples."""
    return TextSpec(length=length, vocabulary_size=len(tokens), vocabulary_sha256="0" * 64)


def draw_tokens(count: int, *, length: int, seed: int = 0) -> npt.NDArray[np.int32]:
    """Returns texts of random tokens and lengths: int32 [count, 3, length]."""
    random = np.random.default_rng(seed)
    sizes = random.integers(1, length + 1, (count, 1))
    mask = (np.arange(length) < sizes).astype(np.int32)
    ids = random.integers(5, len(VOCABULARY), (count, length)).astype(np.int32) * mask
    return np.stack([ids, mask, np.zeros_like(mask)], axis=1)
