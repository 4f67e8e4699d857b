"""Some splits of a data set, counted as one."""

import dataclasses
from collections.abc import Mapping, Sequence

from components.common.documents.dataset import DatasetManifest, Split, Trait


@dataclasses.dataclass(frozen=True)
class Portion:
    """What the splits have in all.

    Attributes:
      name: what it is called in messages.
      manifest: the data set's.
      splits: of it.
    """

    name: str
    manifest: DatasetManifest
    splits: Sequence[Split]

    def labels(self) -> Mapping[str, int]:
        """Returns class -> how many examples it has."""
        found = [self.manifest.splits[split].examples_per_class for split in self.splits]
        return dict(zip(self.manifest.class_names, map(sum, zip(*found, strict=True)), strict=True))

    def traits(self) -> Mapping[str, Trait]:
        """Returns name -> trait."""
        return {trait.name: trait for trait in self.manifest.traits}

    def bins(self, trait: Trait) -> list[int]:
        """Returns how many examples each bin of a trait has."""
        return [*map(sum, zip(*(trait.examples[split] for split in self.splits), strict=True))]
