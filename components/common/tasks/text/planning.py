"""Decides what every text becomes: which vocabulary's tokens, and how many."""

import itertools
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Literal

from components.common.tasks.made import Unusable
from components.common.tasks.text.checkpoints import (
    CONFIG_FILE,
    Checkpoint,
    read_checkpoint,
)
from components.common.tasks.text.making import decode_text
from components.common.tasks.text.plan import TextPlan
from components.common.tasks.text.tokenizer import TextTokenizer
from components.common.tasks.text.vocabulary import VOCABULARY_FILE, Vocabulary
from components.common.tasks.text.weights import encoder_digest, local_encoder

_FILES = (CONFIG_FILE, VOCABULARY_FILE)
_WHOLE = 0.99
"""How many of the training texts an example of the automatic length holds whole."""
_MEASURED = 50_000
"""Texts that are measured for it: so many that the length hardly depends on which."""
_STEP = 16


def identify_encoder(encoder: str) -> Mapping[str, str]:
    """Returns the digest of what an encoder's vocabulary and configuration say."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = local_encoder(encoder, Path(scratch), files=_FILES)
        return {"encoder": encoder_digest(folder, files=_FILES)}


def plan_texts(
    length: int | Literal["auto"], encoder: str, training: Callable[[], Iterable[bytes]]
) -> TextPlan:
    """Returns what every text becomes; see `TextSettings.make_plan`."""
    with tempfile.TemporaryDirectory() as scratch:
        checkpoint = read_checkpoint(local_encoder(encoder, Path(scratch), files=_FILES))
    if length == "auto":
        length = _choose_length(checkpoint, training())
    checkpoint.check_length(length)
    return TextPlan(length=length, vocabulary=checkpoint.vocabulary)


def _choose_length(checkpoint: Checkpoint, training: Iterable[bytes]) -> int:
    most = checkpoint.positions
    lengths = sorted(_measure(itertools.islice(training, _MEASURED), checkpoint.vocabulary, most))
    if not lengths:
        return min(_STEP, most)
    whole = lengths[min(len(lengths) - 1, int(_WHOLE * len(lengths)))]
    return min(-(-whole // _STEP) * _STEP, most)


def _measure(training: Iterable[bytes], vocabulary: Vocabulary, most: int) -> Iterable[int]:
    tokenizer = TextTokenizer(vocabulary, most)
    for data in training:
        try:
            yield tokenizer.encode(decode_text(data)).count
        except Unusable:  # Whoever makes the shards says so.
            continue
