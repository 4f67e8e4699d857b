"""Texts as they lie in shards, and as a device has them: as token ids."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from components.common.documents.candidate import TFLiteModel
from components.common.documents.text import TextSpec
from components.common.tasks.text.features import Example, decode_example
from components.common.tasks.text.vocabulary import (
    VOCABULARY_FILE,
    Vocabulary,
    parse_vocabulary,
)

__all__ = ["decode_example", "device_input", "explain_misfit", "read_for"]


def device_input(
    spec: TextSpec, model: Path | None = None
) -> Callable[[Example], npt.NDArray[np.int32]]:
    """Returns what makes of an example a row for each tensor: int32 [3, length].

    A device knows no vocabulary but that in a model's file. Where that is another one than the data
    set's, the text is made into tokens anew.

    Args:
      spec: how texts are read; with the tokens of a model, if it is for one.
      model: a `.tflite` file.

    Raises:
      UserError: the vocabulary in the file is none.
    """
    vocabulary = _another_vocabulary(spec, model)
    if vocabulary is None:
        return lambda example: np.array(
            [example.input_ids, example.input_mask, example.segment_ids], np.int32
        )
    from components.common.tasks.text.tokenizer import TextTokenizer

    tokenizer = TextTokenizer(vocabulary, spec.length)
    return lambda example: tokenizer.feed(example.whole)


def _another_vocabulary(spec: TextSpec, model: Path | None) -> Vocabulary | None:
    """Returns the vocabulary that takes the place of the data set's, None where that does."""
    if model is not None:
        from components.common.lite.model_files import read_associated_files

        content = read_associated_files(model.read_bytes()).get(VOCABULARY_FILE)
        if content is not None and hashlib.sha256(content).hexdigest() != spec.vocabulary_sha256:
            return parse_vocabulary(content, source=f"{model}: {VOCABULARY_FILE}")
    return None if spec.kept is None else Vocabulary(spec.kept.tokens)


def read_for(spec: TextSpec, model: TextSpec) -> TextSpec:
    """Returns how texts are read for a model: as tokens of its vocabulary."""
    return model


def explain_misfit(model: TFLiteModel, spec: TextSpec, trained_on: TextSpec | None) -> str:
    """Returns how a file takes other tokens than these; nothing, where it takes them.

    Args:
      model: the file.
      spec: how the texts lie in the shards.
      trained_on: how those lay that the model was trained on; None where nobody knows.
    """
    length = model.input.shape[-1]
    if length != spec.length:
        return f"it takes texts of {length} tokens, the data set now has {spec.length}"
    if trained_on is not None and trained_on.vocabulary_sha256 != spec.vocabulary_sha256:
        return "its tokens are of another vocabulary than the data set's now"
    return ""
