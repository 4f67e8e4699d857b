"""How a pretrained encoder's weights lie in the layers of our graph.

The graph is built by our own code; what a file holds are values alone. It is in the format of
safetensors, in which nothing runs, and names its tensors as the model in PyTorch does.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from components.common.documents.encoder import EncoderSpec
from components.common.errors import UserError
from components.common.tasks.text.checkpoints import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    Checkpoint,
    Family,
)
from components.common.words.figures import listing

Tensor = npt.NDArray[np.float32]

_KINDS = ("F32", "F16", "BF16")

_PREFIXES: Mapping[Family, tuple[str, ...]] = {
    family: ("", f"{family}.") for family in ("bert", "distilbert", "electra")
}

_EMBEDDINGS = {
    "words": "embeddings.word_embeddings",
    "segments": "embeddings.token_type_embeddings",
    "positions": "embeddings.position_embeddings",
    "embedding_norm": "embeddings.LayerNorm",
    "projection": "embeddings_project",
}

_BERT_BLOCK = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attended": "attention.output.dense",
    "attended_norm": "attention.output.LayerNorm",
    "widen": "intermediate.dense",
    "narrow": "output.dense",
    "norm": "output.LayerNorm",
}

_BLOCKS: Mapping[Family, tuple[str, Mapping[str, str]]] = {
    "bert": ("encoder.layer", _BERT_BLOCK),
    "electra": ("encoder.layer", _BERT_BLOCK),
    "distilbert": (
        "transformer.layer",
        {
            "query": "attention.q_lin",
            "key": "attention.k_lin",
            "value": "attention.v_lin",
            "attended": "attention.out_lin",
            "attended_norm": "sa_layer_norm",
            "widen": "ffn.lin1",
            "narrow": "ffn.lin2",
            "norm": "output_layer_norm",
        },
    ),
}
"""Where a family has its blocks, and its names for the layers of one."""

_OLD_ENDINGS = {"gamma": "weight", "beta": "bias"}
"""Of layer normalizations, in files that were converted from TensorFlow's."""


def assign_encoder(model: Any, checkpoint: Checkpoint) -> None:
    """Puts a pretrained encoder's weights into the layers of a classifier.

    Args:
      model: as `build_classifier` makes it of `checkpoint.spec`.
      checkpoint: where the weights lie.

    Raises:
      UserError: the file is missing or damaged, or a tensor in it is missing or does not fit.
    """
    layers = {layer.name: layer for layer in model.layers}
    for name, weights in read_encoder(checkpoint, layers["positions"].table.shape[0]).items():
        layers[name].set_weights(weights)


def read_encoder(checkpoint: Checkpoint, length: int) -> dict[str, list[Tensor]]:
    """Reads an encoder's weights for texts of a length.

    Returns:
      The name of each layer with weights -> these, as its `set_weights` takes them.

    Raises:
      UserError: as `assign_encoder` says.
    """
    checkpoint.check_length(length)
    weights = dict(_read_layers(checkpoint))
    for name, count in (("words", len(checkpoint.vocabulary.tokens)), ("positions", length)):
        weights[name] = [weights[name][0][:count]]
    return weights


def _read_layers(checkpoint: Checkpoint) -> Iterator[tuple[str, list[Tensor]]]:
    path = checkpoint.folder / WEIGHTS_FILE
    names = dict(_layer_names(checkpoint.family, checkpoint.spec))
    try:
        with safe_open(path, framework="numpy") as file:
            found = _find_tensors(file.keys(), checkpoint)
            for layer, theirs in names.items():
                yield layer, list(_read_layer(file, found, layer, theirs, checkpoint))
    except FileNotFoundError as error:
        raise UserError(
            f"{path}: there is no such file; save the encoder as safetensors"
        ) from error
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: can't be read as safetensors ({error}); give it anew") from error


def _layer_names(family: Family, spec: EncoderSpec) -> Iterator[tuple[str, str]]:
    """Yields the names of our layers with weights and, beside each, that in the file."""
    absent = set()
    if not spec.segments:
        absent.add("segments")
    if spec.embedding == spec.hidden:
        absent.add("projection")
    yield from ((ours, theirs) for ours, theirs in _EMBEDDINGS.items() if ours not in absent)
    blocks, parts = _BLOCKS[family]
    for number in range(spec.layers):
        for ours, theirs in parts.items():
            yield f"layer{number}_{ours}", f"{blocks}.{number}.{theirs}"


def _find_tensors(keys: Sequence[str], checkpoint: Checkpoint) -> Mapping[str, str]:
    """Returns the encoder's tensors: name without prefix, as files are written today -> key.

    Heads and the pooler, which no classifier of ours has, are passed over.

    Raises:
      UserError: there is no encoder of the family, or more of it than the configuration says.
    """
    path = checkpoint.folder / WEIGHTS_FILE
    first = f"{_EMBEDDINGS['words']}.weight"
    prefixes = _PREFIXES[checkpoint.family]
    prefix = next((each for each in prefixes if f"{each}{first}" in keys), None)
    if prefix is None:
        raise UserError(
            f"{path}: lacks the tensor {first}, with or without {prefixes[-1]} before it; is it "
            f"a file of the {checkpoint.family} that {CONFIG_FILE} describes?"
        )
    found = {}
    for key in keys:
        stem, _, ending = key.removeprefix(prefix).rpartition(".")
        found[f"{stem}.{_OLD_ENDINGS.get(ending, ending)}"] = key
    blocks, _ = _BLOCKS[checkpoint.family]
    if any(name.startswith(f"{blocks}.{checkpoint.spec.layers}.") for name in found):
        raise UserError(
            f"{path}: has more than the {checkpoint.spec.layers} layers of {CONFIG_FILE}; give "
            "the two files of one encoder"
        )
    return found


def _read_layer(
    file: Any, found: Mapping[str, str], layer: str, theirs: str, checkpoint: Checkpoint
) -> Iterator[Tensor]:
    for ending, shape in _shapes(layer, checkpoint).items():
        name = f"{theirs}.{ending}"
        tensor = _read_tensor(file, found, name, shape, checkpoint)
        # PyTorch has a kernel's outputs first.
        is_kernel = ending == "weight" and not (layer in _TABLES or layer.endswith("norm"))
        yield np.ascontiguousarray(tensor.T) if is_kernel else tensor


_TABLES = ("words", "segments", "positions")


def _shapes(layer: str, checkpoint: Checkpoint) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of a layer's tensors in the file, by the ends of their names."""
    spec = checkpoint.spec
    if layer in _TABLES:
        rows = {
            "words": checkpoint.rows,
            "segments": spec.segments,
            "positions": checkpoint.positions,
        }
        return {"weight": (rows[layer], spec.embedding)}
    if layer == "embedding_norm":
        return {"weight": (spec.embedding,), "bias": (spec.embedding,)}
    if layer.endswith("norm"):
        return {"weight": (spec.hidden,), "bias": (spec.hidden,)}
    inputs, outputs = spec.hidden, spec.hidden
    if layer == "projection":
        inputs = spec.embedding
    elif layer.endswith("widen"):
        outputs = spec.intermediate
    elif layer.endswith("narrow"):
        inputs = spec.intermediate
    return {"weight": (outputs, inputs), "bias": (outputs,)}


def _read_tensor(
    file: Any,
    found: Mapping[str, str],
    name: str,
    shape: tuple[int, ...],
    checkpoint: Checkpoint,
) -> Tensor:
    path = checkpoint.folder / WEIGHTS_FILE
    if name not in found:
        raise UserError(f"{path}: lacks the tensor {name}; give the encoder's own file, whole")
    view = file.get_slice(found[name])
    if tuple(view.get_shape()) != shape:
        raise UserError(
            f"{path}: {found[name]} has the shape {tuple(view.get_shape())}, where {CONFIG_FILE} "
            f"asks for {shape}; give the two files of one encoder"
        )
    if view.get_dtype() not in _KINDS:
        raise UserError(
            f"{path}: {found[name]} is of {view.get_dtype()}, where only {listing(_KINDS)} are "
            "read; save the encoder in float32"
        )
    tensor = np.asarray(file.get_tensor(found[name]), np.float32)
    if not np.isfinite(tensor).all():
        raise UserError(f"{path}: {found[name]} holds numbers that are not finite; give it anew")
    return tensor
