"""What TFLite Metadata says of the text that goes into a model: three tensors, and a tokenizer.

MediaPipe knows the tensors by the names that they have here, and asks of the model's first
process unit how a text becomes tokens.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import flatbuffers

from components.common.documents.encoder import TextArchitecture
from components.common.documents.text import TextSpec
from components.common.lite.metadata import InputCard
from components.common.lite.metadata_tables import (
    write_associated_file,
    write_table,
    write_tables,
)
from components.common.tasks.text.vocabulary import (
    VOCABULARY_FILE,
    Vocabulary,
    read_vocabulary,
)

EXAMPLES = "texts"

INPUTS = ("input_ids", "input_mask", "segment_ids")
"""The model's tensors, as its signature names them."""

_TOLD: dict[str, tuple[str, str]] = {
    "input_ids": ("ids", "The ids of the text's tokens: [CLS], its own, [SEP], then 0."),
    "input_mask": ("mask", "1 for each token, 0 after the last."),
    "segment_ids": ("segment_ids", "0: there is one text."),
}

# Enumerations and union members of metadata_schema.fbs.
_VOCABULARY = 4
_FEATURE_PROPERTIES = 1
_BERT_TOKENIZER_OPTIONS = 4

_PARSER_VERSION = "1.1.0"  # The first one knows tokenizers.


def trace_model(architecture: TextArchitecture, spec: TextSpec) -> Mapping[str, Any]:
    """Returns what a model's lineage says of its encoder, and of how texts became tokens."""
    return {
        "encoder": architecture.encoder.model_dump(mode="json"),
        "pooling": architecture.pooling,
        "vocabulary_sha256": spec.vocabulary_sha256,
    }


def describe_input(spec: TextSpec, dataset: Path) -> InputCard:
    """Returns what the metadata tell of the inputs of a model of litesmith's.

    Args:
      spec: how texts are read for the model.
      dataset: the folder of their manifest, which holds the data set's vocabulary.
    """
    return describe_text_input(read_vocabulary(spec, dataset))


def describe_text_input(vocabulary: Vocabulary) -> InputCard:
    """Returns what the metadata tell of a text classifier's inputs."""
    return InputCard(
        write_tensors=_write_tensors,
        write_process_units=_write_tokenizer,
        files={VOCABULARY_FILE: vocabulary.to_bytes()},
        parser_version=_PARSER_VERSION,
    )


def _write_tensors(builder: flatbuffers.Builder, names: Sequence[str]) -> list[int]:
    return [_write_tensor(builder, *_told_of(name)) for name in names]


def _told_of(name: str) -> tuple[str, str]:
    """Returns MediaPipe's name of a tensor, and a sentence; the converter adds to names."""
    return next(told for own, told in _TOLD.items() if own in name)


def _write_tensor(builder: flatbuffers.Builder, name: str, words: str) -> int:
    feature = write_table(builder, 0)
    return write_table(
        builder,
        7,
        offsets={
            0: builder.CreateString(name),
            1: builder.CreateString(words),
            3: write_table(builder, 3, offsets={1: feature}, enums={0: _FEATURE_PROPERTIES}),
        },
    )


def _write_tokenizer(builder: flatbuffers.Builder) -> list[int]:
    words = "One token a line; its id is the number of the lines before."
    file = write_associated_file(builder, VOCABULARY_FILE, words, _VOCABULARY)
    options = write_table(builder, 1, offsets={0: write_tables(builder, [file])})
    unit = write_table(builder, 2, offsets={1: options}, enums={0: _BERT_TOKENIZER_OPTIONS})
    return [unit]
