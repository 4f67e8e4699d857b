"""What validate is told: which findings warn and which stop the run."""

from typing import Annotated, ClassVar

from pydantic import Field

from components.common.config import Section, Severity, StageConfig
from components.common.documents.data_schema import DataSchema


class PictureChecks(Section):
    """What is looked for in pictures alone."""

    mirrored_classes: Severity = "warn"
    """Classes named for what flips turn into one another, such as left and right."""
    one_colour: Severity = "warn"
    """Pictures that show nothing: of one colour after fitting."""
    same_pixels: Severity = "warn"
    """Pictures of different classes that are the same after fitting."""
    nearly_blank: Severity = "warn"
    """Pictures that show hardly anything after fitting."""
    small_range: Severity = "warn"
    """Pictures that use a quarter of the intensities at most."""
    not_square: Severity = "warn"
    """Pictures that MediaPipe and the Task Library would stretch, where `data.fit` does not."""


class TextChecks(Section):
    """What is looked for in texts alone."""

    same_tokens: Severity = "warn"
    """Texts of different classes that have the same tokens."""
    cut_texts: Severity = "warn"
    """Many texts that are longer than an example, so that the model sees a part of them."""
    unknown_tokens: Severity = "warn"
    """Many tokens that the encoder's vocabulary lacks."""


class ValidateConfig(StageConfig, PictureChecks, TextChecks):
    """The recipe's `validate` section."""

    filled_in: ClassVar[frozenset[str]] = frozenset(
        {"balanced", "mirrored", "model_name", "examples_to_rank"}
    )

    data_schema: DataSchema | None = None
    """What the data may hold: the path of a file that `data inspect --schema` began, or its
    content, which travels with the run."""
    off_schema: Severity = "stop"
    """Classes and examples that it doesn't allow."""
    min_examples_per_class: Annotated[int, Field(ge=1)] = 10
    """In the training split."""
    too_few_examples: Severity = "warn"
    missing_class: Severity = "stop"
    """A class without an example in some split: `warn` lets a run go on without it there."""
    max_imbalance: Annotated[float, Field(ge=1)] = 9.0
    """Times as many training examples as the largest class may have of any other: from 9 on,
    data are called highly imbalanced (Fernandez et al., Fuzzy Sets and Systems 159, 2008)."""
    imbalance: Severity = "warn"
    """A class that is rarer than that, where train.class_weights does not make up for it."""
    similar_names: Severity = "warn"
    """Classes whose names differ by case, Unicode form or space alone."""
    duplicates_across_splits: Severity = "stop"
    parted_groups: Severity = "stop"
    """A group, such as a patient, an author or a burst, with examples in several splits."""
    near_copies: Severity = "warn"
    """Examples of one split that are nearly the same as one of another; what data.near_copies
    leaves out for it stops no run."""
    near_contradictions: Severity = "warn"
    """Examples of different classes that are nearly the same."""
    outliers: Severity = "warn"
    """Examples that are unlike most, such as in size or length."""
    max_label_l_infinity: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Between class shares: the greatest difference of one class's."""
    max_label_jensen_shannon: Annotated[float, Field(gt=0, le=1)] = 0.02
    """Between class shares, in bits: what a class of 4 % adds that the other side lacks."""
    max_trait_kolmogorov_smirnov: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Between the distributions of a trait, a number that every example has."""
    label_drift: Severity = "warn"
    """Class shares above a threshold between this data set and the blessed model's."""
    label_skew: Severity = "warn"
    """The same between the test and the training split."""
    trait_drift: Severity = "warn"
    """A trait above the threshold between this data set and the blessed model's."""
    trait_skew: Severity = "warn"
    """The same between the test and the training split."""
    changed_classes: Severity = "warn"
    """Class names differ from the blessed run's."""
    min_test_examples: Annotated[int, Field(ge=1)] = 1
    """Fewer always stop the run. The recipe raises it to what its budgets need."""
    min_test_examples_per_class: Annotated[int, Field(ge=1)] = 1
    """Likewise."""
    min_other_test_examples: Annotated[int, Field(ge=0)] = 0
    """Likewise, of all classes but the largest."""
    examples_to_rank: int = 0
    """How many validation examples it takes to rank what a search tries; 0 where none is made.
    Filled in by the recipe."""
    balanced: bool = False
    """Whether every class counts the same in training; filled in by the recipe."""
    mirrored: bool = False
    """Whether training flips pictures; filled in by the recipe."""
    model_name: str = ""
    """The registry's name of the model."""
