"""What compress is told: the recipe's variants, and one task's share of them."""

from components.common.config import StageConfig
from components.common.documents.variant import StepSpec, Variant


class VariantConfig(StageConfig):
    """One task's part: what it must be keyed by, beside the parent's bundle, and no more."""

    steps: tuple[StepSpec, ...]


class CompressConfig(StageConfig):
    """All variants of a recipe but the root."""

    variants: tuple[Variant, ...]

    def variant(self, id_: str) -> Variant:
        (own,) = (variant for variant in self.variants if variant.id == id_)
        return own
