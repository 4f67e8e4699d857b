"""What a scheme that calibrates is given: examples, and the tensors that each of them is."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclasses.dataclass(frozen=True, eq=False)
class Calibration:
    """Examples from which activations take their ranges.

    Attributes:
      examples: [n, ...], as a device has them; where a model takes several tensors, with a row
        for each, in the order of their names.
      signature: TensorFlow's specifications of the tensors that the exported model takes.
      device_type: what an integer model takes in place of float32.
    """

    examples: npt.NDArray[Any]
    signature: Sequence[Any]
    device_type: Any

    def tensors(self) -> Iterator[dict[str, npt.NDArray[Any]]]:
        """Yields one example after the other: name of a tensor -> its value, of a batch of one."""
        taken = sorted(self.signature, key=lambda each: str(each.name))
        for example in self.examples:
            parts = [example] if len(taken) == 1 else example
            yield {
                each.name: part[np.newaxis].astype(each.dtype.as_numpy_dtype)
                for each, part in zip(taken, parts, strict=True)
            }
