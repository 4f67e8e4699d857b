"""What a data set's examples are, by the words and numbers that a schema may bound."""

import numpy as np
import numpy.typing as npt

from components.common.documents.dataset import TaskName
from components.common.documents.profile import DataProfile, Extremes, Measured, Seen
from components.common.tasks.sources import sources_of
from components.preprocess.shard_index import Rows
from components.preprocess.sketched import SketchedExamples

_NAMED = 5
"""Examples of a word."""
_TOLD = 50
"""Examples at each end of a number."""


def find_profile(task: TaskName, examples: SketchedExamples) -> DataProfile:
    """Looks at what the sketches of all examples of a data set tell."""
    sources = sources_of(task)
    return DataProfile(
        values={
            name: {
                words[code]: _seen(np.flatnonzero(examples.traits[name] == code), examples)
                for code in np.unique(examples.traits[name]).astype(int).tolist()
            }
            for name, words in sources.VALUES.items()
        },
        ranges={name: _ends(examples.traits[name], examples) for name in sources.RANGES},
    )


def _seen(rows: Rows, examples: SketchedExamples) -> Seen:
    paths = (examples.path(row) for row in rows[:_NAMED].tolist())
    return Seen(examples=len(rows), paths=tuple(paths))


def _ends(values: npt.NDArray[np.float32], examples: SketchedExamples) -> Extremes:
    def measured(rows: Rows) -> tuple[Measured, ...]:
        return tuple(
            Measured(path=examples.path(row), value=float(values[row])) for row in rows.tolist()
        )

    order = np.argsort(values, kind="stable")
    return Extremes(least=measured(order[:_TOLD]), greatest=measured(order[::-1][:_TOLD]))
