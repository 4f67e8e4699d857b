"""What a pretrained encoder's folder says of itself: `config.json` and `vocab.txt`.

The folder is as Hugging Face's tools write one: BERT and what has its shape (MiniLM), DistilBERT,
or ELECTRA. Its weights, `model.safetensors`, are read elsewhere (`models/pretrained.py`): whoever
tokenizes needs none of them.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from components.common.documents.encoder import Activation, EncoderSpec
from components.common.errors import UserError
from components.common.storage import read_whole_file
from components.common.tasks.text.vocabulary import (
    VOCABULARY_FILE,
    Vocabulary,
    parse_vocabulary,
)
from components.common.words.figures import listing

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
FILES = (CONFIG_FILE, VOCABULARY_FILE, WEIGHTS_FILE)
"""What is read of a folder."""

Family = Literal["bert", "distilbert", "electra"]

_PADDED_TO = 128
"""Some tables of tokens end in rows of none, up to a multiple of this."""

_ACTIVATIONS: Mapping[str, Activation] = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
}
"""The names that configurations have for them."""

_BERT_KEYS = {
    "rows": "vocab_size",
    "positions": "max_position_embeddings",
    "embedding": "hidden_size",
    "hidden": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "intermediate": "intermediate_size",
    "segments": "type_vocab_size",
    "activation": "hidden_act",
}

_KEYS: Mapping[Family, Mapping[str, str]] = {
    "bert": _BERT_KEYS,
    "electra": {**_BERT_KEYS, "embedding": "embedding_size"},
    "distilbert": {
        "rows": "vocab_size",
        "positions": "max_position_embeddings",
        "embedding": "dim",
        "hidden": "dim",
        "layers": "n_layers",
        "heads": "n_heads",
        "intermediate": "hidden_dim",
        "activation": "activation",
    },
}
"""Field of `_Sizes` -> its key in the configuration."""


class _Sizes(EncoderSpec):
    """All that a configuration says; see `Checkpoint`."""

    rows: Annotated[int, Field(ge=1, le=1_000_000)]
    positions: Annotated[int, Field(ge=1, le=8192)]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A pretrained encoder's folder.

    Attributes:
      folder: a local one.
      family: whose names its tensors have.
      spec: the sizes.
      rows: of its table of tokens, which may end in rows that are no token's.
      positions: how many places in a text it knows.
      vocabulary: its tokens.
    """

    folder: Path
    family: Family
    spec: EncoderSpec
    rows: int
    positions: int
    vocabulary: Vocabulary

    def check_length(self, length: int) -> None:
        """Refuses texts of more tokens than the encoder knows positions.

        Raises:
          UserError: they are.
        """
        if length > self.positions:
            raise UserError(
                f"{self.folder / CONFIG_FILE}: the encoder knows {self.positions} positions, "
                f"which a length of {length} tokens exceeds; state {self.positions} or fewer"
            )


def read_checkpoint(folder: Path) -> Checkpoint:
    """Reads what a folder says of its encoder, all but the weights.

    Raises:
      UserError: a file is missing or damaged, or it is an encoder of another architecture.
    """
    path = folder / CONFIG_FILE
    config = _read_config(path)
    family = next((known for known in _KEYS if known == config.get("model_type")), None)
    if family is None:
        raise UserError(
            f"{path}: model_type is {config.get('model_type')!r}, where only "
            f"{listing(list(_KEYS))} are read; give the folder of a BERT, MiniLM, DistilBERT or "
            "ELECTRA"
        )
    sizes = _read_sizes(path, config, family)
    vocabulary_path = folder / VOCABULARY_FILE
    vocabulary = parse_vocabulary(_read(vocabulary_path), source=str(vocabulary_path))
    _check_fit(vocabulary_path, sizes.rows, vocabulary)
    own = sizes.model_dump(include=set(EncoderSpec.model_fields))
    return Checkpoint(
        folder=folder,
        family=family,
        spec=EncoderSpec.model_validate(own),
        rows=sizes.rows,
        positions=sizes.positions,
        vocabulary=vocabulary,
    )


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: is no JSON ({error}); give the encoder's own file") from error
    if not isinstance(config, dict):
        raise UserError(f"{path}: is no JSON object; give the encoder's own file")
    return config


def _read(path: Path) -> bytes:
    try:
        return read_whole_file(path)
    except FileNotFoundError as error:
        raise UserError(
            f"{path}: there is no such file; an encoder's folder holds {listing(FILES)}"
        ) from error


def _read_sizes(path: Path, config: Mapping[str, Any], family: Family) -> _Sizes:
    kind = config.get("position_embedding_type", "absolute")
    if kind != "absolute":
        raise UserError(
            f"{path}: position_embedding_type is {kind!r}, where only 'absolute' is built; give "
            "another encoder"
        )
    keys = _KEYS[family]
    if missing := [key for key in keys.values() if key not in config]:
        raise UserError(f"{path}: lacks {listing(missing)}; give the encoder's own file")
    values = {field: config[key] for field, key in keys.items()}
    activation = values["activation"]
    if activation not in _ACTIVATIONS:
        raise UserError(
            f"{path}: {keys['activation']} is {activation!r}, where only "
            f"{listing(list(_ACTIVATIONS))} are built; give another encoder"
        )
    values |= {
        "activation": _ACTIVATIONS[activation],
        "segments": values.get("segments", 0),
        "epsilon": config.get("layer_norm_eps", 1e-12),
    }
    try:
        return _Sizes.model_validate(values, strict=True)
    except ValidationError as error:
        found = error.errors(include_url=False)[0]
        key = keys.get(str(found["loc"][0]), "layer_norm_eps") if found["loc"] else "its sizes"
        raise UserError(f"{path}: {key}: {found['msg']}; give the encoder's own file") from error


def _check_fit(path: Path, rows: int, vocabulary: Vocabulary) -> None:
    tokens = len(vocabulary.tokens)
    if not tokens <= rows <= -(-tokens // _PADDED_TO) * _PADDED_TO:
        raise UserError(
            f"{path}: has {tokens:,} tokens, which do not fit the {rows:,} embeddings of "
            f"{CONFIG_FILE}; give the encoder's own vocabulary"
        )
