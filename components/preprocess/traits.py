"""How the traits of a data set's examples are distributed."""

import numpy as np
import numpy.typing as npt

from components.common.documents.dataset import SPLITS, TaskName, Trait
from components.common.tasks.sketched import Traits
from components.common.tasks.traits import traits_of


def count_traits(
    task: TaskName, traits: Traits, splits: npt.NDArray[np.uint8]
) -> tuple[Trait, ...]:
    """Returns in which bins the examples of each split lie.

    Args:
      task: whose examples these are.
      traits: of all.
      splits: of each, the index into SPLITS.
    """
    return tuple(
        Trait(
            name=name,
            edges=tuple(edges),
            examples={
                split: _count(traits[name][splits == number], edges)
                for number, split in enumerate(SPLITS)
            },
        )
        for name, edges in traits_of(task).EDGES.items()
    )


def _count(values: npt.NDArray[np.float32], edges: npt.ArrayLike) -> tuple[int, ...]:
    bins = np.searchsorted(np.asarray(edges, np.float32), values, "right")
    return tuple(np.bincount(bins, minlength=np.size(edges) + 1).tolist())
