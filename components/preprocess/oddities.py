"""Examples that are unlike most, or show hardly anything: counted, and the oddest of them named."""

import numpy as np
import numpy.typing as npt

from components.common.documents.dataset import TaskName
from components.common.documents.oddities import OddExample, Oddities, Oddity
from components.common.tasks.traits import TraitReading, traits_of
from components.preprocess.sketched import SketchedExamples

_TOLD = 50
"""Examples of each kind."""


def find_oddities(task: TaskName, examples: SketchedExamples) -> Oddities:
    """Looks at the traits of all examples of a data set."""
    reading = traits_of(task)
    return Oddities(
        kinds={
            kind: _describe(kind, oddness, examples, reading)
            for kind, oddness in reading.find_odd(examples.traits).items()
            if oddness.any()
        }
    )


def _describe(
    kind: str,
    oddness: npt.NDArray[np.float32],
    examples: SketchedExamples,
    reading: TraitReading,
) -> Oddity:
    oddest = np.argsort(-oddness, kind="stable")[:_TOLD]
    shown = [
        OddExample(
            placed=examples.place(row),
            detail=reading.describe_odd(
                kind, {name: float(values[row]) for name, values in examples.traits.items()}
            ),
        )
        for row in oddest.tolist()
        if oddness[row]
    ]
    return Oddity(examples=int(np.count_nonzero(oddness)), shown=tuple(shown))
