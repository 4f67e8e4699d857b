"""Fewer tokens and shorter texts: pure functions of vocabularies and of examples.

A third of a small encoder's weights, and half of some, are rows of its table of tokens, most of
which a data set never uses. Those that it does use are kept, and every single character: a word
that has lost its token is then spelled by shorter ones, as WordPiece does of any word that it does
not know.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

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


def count_tokens(tokens: Tokens, vocabulary: Vocabulary) -> npt.NDArray[np.int64]:
    """Returns how often each token stands in examples, padding aside: int64 [tokens]."""
    present = tokens[:, 0][tokens[:, 1] == 1]
    return np.bincount(present, minlength=len(vocabulary.tokens))


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


def respell(tokens: Tokens, before: Vocabulary, after: Vocabulary) -> Tokens:
    """Returns examples as the tokenizer of a trimmed vocabulary would have made them.

    Words are read out of their pieces, so that no text is needed. Where an example was cut within
    a word, the text itself could be spelled differently from there on.

    Args:
      tokens: as the first vocabulary's tokenizer made them.
      before: that vocabulary.
      after: one with some of its tokens.
    """
    speller = _Speller(before, after)
    spelled = np.zeros_like(tokens)
    for example, found in zip(tokens, spelled, strict=True):
        first, *inner, last = example[0, : example[1].sum()].tolist()
        ids = itertools.chain.from_iterable(map(speller.spell, _words(inner, before)))
        most = tokens.shape[2] - 2
        own = [*speller.spell((first,)), *itertools.islice(ids, most), *speller.spell((last,))]
        found[:2, : len(own)] = own, [1] * len(own)
    return spelled


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


def _words(ids: Sequence[int], vocabulary: Vocabulary) -> Iterator[tuple[int, ...]]:
    """Yields the pieces of each word."""
    word: list[int] = []
    for id_ in ids:
        if word and not vocabulary.tokens[id_].startswith(_CONTINUES):
            yield tuple(word)
            word = []
        word.append(id_)
    if word:
        yield tuple(word)


class _Speller:
    """Spells words of one vocabulary in another; each is spelled once."""

    def __init__(self, before: Vocabulary, after: Vocabulary) -> None:
        self._before, self._after = before.tokens, after.ids
        self._known: dict[tuple[int, ...], Sequence[int]] = {}

    def spell(self, word: tuple[int, ...]) -> Sequence[int]:
        """Returns the ids of a word that is given by its pieces."""
        if word not in self._known:
            pieces = [self._before[id_] for id_ in word]
            # The longest piece that fits is still that, where it was kept.
            if not all(piece in self._after for piece in pieces):
                text = "".join(piece.removeprefix(_CONTINUES) for piece in pieces)
                pieces = self._split(text)
            self._known[word] = [self._after[piece] for piece in pieces]
        return self._known[word]

    def _split(self, text: str) -> list[str]:
        """Returns WordPiece's pieces: each the longest that fits; [UNK], where none does."""
        pieces: list[str] = []
        start = 0
        while start < len(text):
            mark = _CONTINUES if start else ""
            ends = range(len(text), start, -1)
            end = next((end for end in ends if mark + text[start:end] in self._after), None)
            if end is None:
                return [UNKNOWN]
            pieces.append(mark + text[start:end])
            start = end
        return pieces
