"""Whether a training can still come to the validation accuracy that is asked of it.

Whoever asks for less than the epochs cost has a use for the answer: a search, whose trial is lost
anyhow. What is known in the middle are the epochs so far, and they alone decide, so that a training
which was interrupted is given up after the same epoch.
"""

import math
from collections.abc import Sequence

from components.common.documents.bundle import Epoch
from components.common.words.figures import percent

_NOISE = 2.0
"""Standard errors of the validation accuracy by which it may come out better than it is."""


def find_hopeless(
    epochs: Sequence[Epoch], *, last: int, required: float, examples: int
) -> Epoch | None:
    """Returns the first epoch after which a training could be given up.

    That is where half of the epochs that may be kept are done, and where even as much gain again as
    these have brought, and luck, would leave the best of them short. A training gains less and less
    towards its end. Before half it is not asked: from drawn weights it begins slowly.

    Args:
      epochs: so far, in order: those of which one may be kept.
      last: the number of the last one to come.
      required: the least validation accuracy that is of use.
      examples: how many it is judged by.
    """
    for count, epoch in enumerate(epochs, start=1):
        if epoch.epoch < last and count > last - epoch.epoch:
            best = max(each.validation_accuracy for each in epochs[:count])
            hoped = 2 * best - epochs[0].validation_accuracy
            hoped += _NOISE * math.sqrt(best * (1 - best) / examples)
            if hoped < required:
                return epoch
    return None


def describe_hopeless(epoch: Epoch, *, last: int, required: float) -> str:
    """Returns why a training is given up, in one sentence."""
    return (
        f"It was given up after epoch {epoch.epoch} of {last}: validation accuracy was "
        f"{percent(epoch.validation_accuracy)}, too far under the {percent(required)} that would "
        "be of use to be reached in those left."
    )
