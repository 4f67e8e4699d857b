"""What the blessed model answered before: of a test split that has grown it is asked what is new.

Night after night another run compares its candidates with the same model. An answer is known by
each byte that the model was fed, by the model, and by the LiteRT and the kind of machine that
ran it; where any of these is another, the model is run.
"""

import hashlib
import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.data.arrays import encode_arrays, parse_arrays
from components.common.digests import canonical_json, text_digest
from components.common.errors import DamagedError
from components.common.lite.litert import Classifier

_DIGEST_BYTES, _WORDS = 16, 2
"""Of a digest, which is kept as unsigned integers of 64 bits."""

_Probabilities = npt.NDArray[np.float32]


def name_answers(model_sha256: str) -> str:
    """Returns the name, relative to a data root, of what a model has answered here."""
    runs = [model_sha256, version("ai-edge-litert"), platform.machine()]
    return f"answers/{text_digest(canonical_json(runs))}.npz"


class Answers:
    """The answers of one model; any thread may ask.

    Args:
      known: the bytes of what was answered before; nothing, or damaged bytes, know nothing.
      classes: how many the model tells apart.
    """

    def __init__(self, known: bytes, *, classes: int) -> None:
        self._known = _parse(known, classes)
        self._given: dict[bytes, _Probabilities] = {}

    def answer(self, classifier: Classifier, features: npt.NDArray[Any]) -> _Probabilities:
        """Returns the class probabilities, float32 [classes], of what `classifier` would be fed."""
        fed = hashlib.sha256(f"{features.dtype} {features.shape} ".encode())
        fed.update(np.ascontiguousarray(features).data)
        digest = fed.digest()[:_DIGEST_BYTES]
        answer = self._known.get(digest)
        if answer is None:
            answer = classifier.classify(features)
        self._given[digest] = answer
        return answer

    def encode(self) -> bytes:
        """Returns the bytes of the answers that were given, one at least, and of no others."""
        digests = np.frombuffer(b"".join(self._given), np.uint64).reshape(-1, _WORDS)
        probabilities = np.stack(list(self._given.values()))
        return encode_arrays({"digests": digests, "probabilities": probabilities})


def _parse(known: bytes, classes: int) -> Mapping[bytes, _Probabilities]:
    try:
        arrays = parse_arrays(known, name="answers")
        digests, probabilities = arrays["digests"], arrays["probabilities"]
    except (DamagedError, KeyError):
        return {}
    count = digests.shape[:1]
    shapes = (*count, _WORDS), (*count, classes)
    if (digests.shape, probabilities.shape) != shapes or probabilities.dtype != np.float32:
        return {}
    return {digest.tobytes(): row for digest, row in zip(digests, probabilities, strict=True)}
