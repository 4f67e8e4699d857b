"""Fewer tokens and shorter texts: pure functions of vocabularies and of examples.

A third of a small encoder's weights, and half of some, are rows of its table of tokens, most of
which a data set never uses. Those that it does use are kept, and every single character: a word
that has lost its token is then spelled by shorter ones, as WordPiece does of any word that it does
not know.
"""

import dataclasses
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from components.common.documents.text import KeptTokens, TextSpec
from components.common.tasks.text.vocabulary import (
    CLASSIFY,
    PAD_ID,
    SEPARATE,
    UNKNOWN,
    Vocabulary,
)

Tokens = npt.NDArray[np.int32]
"""Examples: [n, 3, length], with the rows input_ids, input_mask and segment_ids."""

_CONTINUES = "##"
"""Begins every token of a word but its first."""


@dataclasses.dataclass(frozen=True)
class Trimmed:
    """A vocabulary with some of another one's tokens, in their order.

    Attributes:
      vocabulary: the smaller one.
      kept: which rows of the table of tokens are left: int64 [tokens], ascending.
    """

    vocabulary: Vocabulary
    kept: npt.NDArray[np.int64]


def count_tokens(examples: Iterable[Tokens], vocabulary: Vocabulary) -> npt.NDArray[np.int64]:
    """Returns how often each token stands in examples, padding aside: int64 [tokens].

    Args:
      examples: int32 [3, length] each.
      vocabulary: whose tokens they are.
    """
    counts = np.zeros(len(vocabulary.tokens), np.int64)
    for ids, mask, _ in examples:
        np.add.at(counts, ids[mask == 1], 1)
    return counts


def trim_vocabulary(
    vocabulary: Vocabulary, counts: npt.NDArray[np.int64], *, at_least: int
) -> Trimmed:
    """Returns the tokens that are frequent enough, single characters and marks.

    Args:
      vocabulary: the one that the counts are of.
      counts: of each token in the training split: int64 [tokens].
      at_least: how often a token must be there to be kept.
    """
    marks = {UNKNOWN, CLASSIFY, SEPARATE, vocabulary.tokens[PAD_ID]}
    kept = np.array(
        [
            id_
            for id_, token in enumerate(vocabulary.tokens)
            if counts[id_] >= at_least or token in marks or len(token.removeprefix(_CONTINUES)) == 1
        ],
        np.int64,
    )
    return Trimmed(Vocabulary(tuple(vocabulary.tokens[id_] for id_ in kept)), kept)


def describe_trimmed(trimmed: Trimmed, before: TextSpec) -> TextSpec:
    """Returns how texts are read for a model of a trimmed vocabulary.

    Args:
      trimmed: of the vocabulary by which they were read before.
      before: how they were read.
    """
    tokens = trimmed.vocabulary.tokens
    ids = [before.kept.ids[row] for row in trimmed.kept] if before.kept else trimmed.kept.tolist()
    return before.model_copy(
        update={
            "vocabulary_size": len(tokens),
            "vocabulary_sha256": trimmed.vocabulary.sha256,
            "kept": KeptTokens(tokens=tokens, ids=tuple(ids)),
        }
    )


def find_rows(own: TextSpec, other: TextSpec) -> npt.NDArray[np.int64] | None:
    """Returns which of a model's tokens another one of the same data set knows.

    Args:
      own: how texts are read for the model.
      other: how they are read for the other one.

    Returns:
      For each token of the other one its id in the model; None where the model lacks some.
    """
    if other.kept is None:
        return None
    ids = own.kept.ids if own.kept is not None else range(own.vocabulary_size)
    rows = {id_: row for row, id_ in enumerate(ids)}
    if not rows.keys() >= set(other.kept.ids):
        return None
    return np.array([rows[id_] for id_ in other.kept.ids], np.int64)


def shorten(tokens: Tokens, length: int) -> Tokens:
    """Returns examples that are cut to fewer tokens; the last one stays [SEP].

    Args:
      tokens: [n, 3, at least `length`].
      length: tokens of an example.
    """
    short = tokens[:, :, :length].copy()
    sizes = tokens[:, 1].sum(axis=1)
    is_cut = sizes > length
    short[is_cut, 0, -1] = tokens[is_cut, 0, sizes[is_cut] - 1]
    return short
