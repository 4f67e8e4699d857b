"""What a look at a source tells before a run: what would be refused, and what there is."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from components.common.documents import Split


class Survey(BaseModel):
    """A source as preprocess would deal it out, no picture decoded yet."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    problem: str | None = None
    """Why preprocess would refuse it; then nothing is counted."""
    examples: Mapping[Split, Mapping[str, int]] = {}
    """Of each split, how many there are of each class."""
    rejected: int = 0
    """Records that would not become examples, as far as shows without decoding."""

    def in_split(self, split: Split) -> int:
        return sum(self.examples[split].values())

    def missing_classes(self) -> Mapping[Split, list[str]]:
        """Returns the classes without an example, of each split that lacks any."""
        missing = {
            split: [name for name, count in classes.items() if count == 0]
            for split, classes in self.examples.items()
        }
        return {split: names for split, names in missing.items() if names}
