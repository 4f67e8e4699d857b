"""What can be wrong with a data set before a model is trained on it.

Each check is a function of manifests (and of which example is in which split) that yields
what it noticed, in words; `check_dataset` runs those that the configuration does not ignore.
"""

import itertools
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence

from components.common.config import Severity
from components.common.data.membership import Membership, example_digest
from components.common.documents.dataset import SPLITS, DatasetManifest, Split
from components.common.documents.near_copies import NO_NEAR_COPIES, NearCopies
from components.common.documents.oddities import NO_ODDITIES, Oddities
from components.common.documents.profile import NO_PROFILE, DataProfile
from components.common.documents.rejects import Note
from components.common.documents.validation import DatasetFinding
from components.common.tasks.findings import Find, findings_of
from components.common.words.figures import shown
from components.validate.classes import (
    find_constant_test,
    find_imbalance,
    find_mirrored_classes,
    find_small_test_classes,
)
from components.validate.config import ValidateConfig
from components.validate.copies import (
    find_left_out,
    find_near_contradictions,
    find_near_copies,
    tell_left_out,
)
from components.validate.drift import (
    find_label_drift,
    find_label_skew,
    find_trait_drift,
    find_trait_skew,
)
from components.validate.names import find_similar_names
from components.validate.schema import find_off_schema

ReadIds = Callable[[Split], Iterable[str]]


def check_dataset(
    manifest: DatasetManifest,
    config: ValidateConfig,
    *,
    membership: Membership,
    blessed: DatasetManifest | None,
    read_ids: ReadIds,
    notes: Sequence[Note] = (),
    near_copies: NearCopies = NO_NEAR_COPIES,
    oddities: Oddities = NO_ODDITIES,
    profile: DataProfile = NO_PROFILE,
) -> tuple[DatasetFinding, ...]:
    """Runs all checks.

    Args:
      manifest: the data set.
      config: what to look for, and how severe it is.
      membership: its examples.
      blessed: the data set of the blessed model, if there is one.
      read_ids: returns the ids of a split's examples. It reads the split's shards, and is called
        only to name what splits share.
      notes: what preprocess noted on examples.
      near_copies: which examples are nearly the same.
      oddities: which are unlike most.
      profile: what they are.

    Returns:
      The findings, those that stop the run first.
    """
    findings = [
        *_find("test_examples", "stop", lambda: find_small_test(manifest, config)),
        *_find("test_examples", "stop", lambda: find_constant_test(manifest, config)),
        *_find("test_examples", "stop", lambda: find_small_test_classes(manifest, config)),
        *_find("few_to_rank", "warn", lambda: find_small_validation(manifest, config)),
        *_find("missing_class", config.missing_class, lambda: find_missing_classes(manifest)),
        *_find(
            "too_few_examples",
            config.too_few_examples,
            lambda: find_small_classes(manifest, at_least=config.min_examples_per_class),
        ),
        *_find("imbalance", config.imbalance, lambda: find_imbalance(manifest, config)),
        *_find(
            "mirrored_classes",
            config.mirrored_classes,
            lambda: find_mirrored_classes(manifest, config),
        ),
        *_find(
            "duplicates_across_splits",
            config.duplicates_across_splits,
            lambda: find_duplicates(membership, read_ids),
        ),
        *_find(
            "parted_groups",
            config.parted_groups,
            lambda: find_parted_groups(membership, read_ids),
        ),
        *_find(
            "similar_names", config.similar_names, lambda: find_similar_names(manifest.class_names)
        ),
        *_find(
            "near_copies",
            config.near_copies,
            lambda: find_near_copies(near_copies, manifest),
        ),
        *_find(
            "near_copies",
            "ignore" if config.near_copies == "ignore" else "warn",
            lambda: find_left_out(near_copies, manifest),
        ),
        *_find(
            "near_contradictions",
            config.near_contradictions,
            lambda: find_near_contradictions(near_copies, manifest),
        ),
        *_find_all(findings_of(manifest).odd_examples(manifest, notes, oddities), config),
        *_find("label_skew", config.label_skew, lambda: find_label_skew(manifest, config)),
        *_find("trait_skew", config.trait_skew, lambda: find_trait_skew(manifest, config)),
    ]
    if (schema := config.data_schema) is not None:
        findings += _find(
            "off_schema", config.off_schema, lambda: find_off_schema(manifest, profile, schema)
        )
    if blessed is not None and blessed.task == manifest.task:
        findings += [
            *_find(
                "changed_classes",
                config.changed_classes,
                lambda: find_changed_classes(manifest, blessed),
            ),
            *_find(
                "label_drift",
                config.label_drift,
                lambda: find_label_drift(manifest, blessed, config),
            ),
            *_find(
                "trait_drift",
                config.trait_drift,
                lambda: find_trait_drift(manifest, blessed, config),
            ),
        ]
    return tuple(sorted(findings, key=lambda finding: finding.severity != "stop"))


def explain_stop(findings: Sequence[DatasetFinding]) -> str | None:
    """Returns what to tell where findings stop the run, None where none does."""
    stopping = [finding for finding in findings if finding.severity == "stop"]
    if not stopping:
        return None
    lines = "".join(f"\n  {finding.check}: {finding.message}" for finding in stopping)
    return f"the data set is refused, before anything is trained on it:{lines}"


def find_small_test(manifest: DatasetManifest, config: ValidateConfig) -> Iterator[str]:
    """Yields a message where the test split is too small for the budgets to be proven."""
    examples, needed = manifest.splits["test"].examples, config.min_test_examples
    if examples < needed:
        yield (
            f"the test split has {examples} examples, and at least {needed} are needed: with "
            "fewer, no model could be shown to keep within budgets.accuracy_drop, however good "
            "it is. Give more examples, a greater share in data.splits.test, or a wider budget"
            f"{tell_left_out(manifest)}"
        )


def find_small_validation(manifest: DatasetManifest, config: ValidateConfig) -> Iterator[str]:
    """Yields a message where a search would rank on so few examples that luck decides."""
    examples, needed = manifest.splits["validation"].examples, config.examples_to_rank
    if examples < needed:
        yield (
            f"the validation split has {examples} examples, and a search ranks what it tries on "
            f"them: it takes about {needed} to tell by them what keeps within "
            "budgets.accuracy_drop. With fewer, models are found that the proof on the test split "
            "refuses, and lighter ones are missed. Give more examples, or a greater share in "
            f"data.splits.validation{tell_left_out(manifest)}"
        )


def find_missing_classes(manifest: DatasetManifest) -> Iterator[str]:
    """Yields a message for each split in which classes have no example."""
    for split in SPLITS:
        counts = _counts(manifest, split)
        if missing := [name for name, count in counts.items() if count == 0]:
            yield (
                f"the {split} split has no example of {shown(missing)}. A class is dealt out to "
                "every split where it has three examples or more that can be read and state no "
                "split; where they are grouped, three groups. Give more examples or smaller "
                "groups, state other splits in a data.list, merge or leave out the class "
                "(data.exclude), or go on without it there: validate.missing_class=warn"
                f"{tell_left_out(manifest) if split != 'train' else ''}"
            )


def find_small_classes(manifest: DatasetManifest, *, at_least: int) -> Iterator[str]:
    """Yields a message where classes have few training examples."""
    small = {
        name: count for name, count in _counts(manifest, "train").items() if 0 < count < at_least
    }
    if small:
        named = [f"{name} ({count})" for name, count in small.items()]
        yield (
            f"fewer than {at_least} training examples of {shown(named)}; give more examples, "
            "or lower validate.min_examples_per_class"
        )


def find_duplicates(membership: Membership, read_ids: ReadIds) -> Iterator[str]:
    """Yields a message where an example stands in more than one split."""
    for first, second in itertools.combinations(SPLITS, 2):
        if shared := membership.find_shared_examples(first, second).tolist():
            yield (
                f"{first} and {second} share {len(shared)} of their examples, so that "
                f"{second} would flatter the model: {shown(_names(read_ids(second), set(shared)))}"
            )


def find_parted_groups(membership: Membership, read_ids: ReadIds) -> Iterator[str]:
    """Yields a message where a group has examples in more than one split."""
    for first, second in itertools.combinations(SPLITS, 2):
        if shared := membership.find_shared_groups(first, second).tolist():
            members = membership.members_of(shared[0])
            one, other = (shown(_names(read_ids(split), members)) for split in (first, second))
            yield (
                f"{first} and {second} share {len(shared)} of their groups, so that {second} "
                f"would flatter the model; for example of {one} and {other}. State one split "
                "for a whole group, or none"
            )


def find_changed_classes(manifest: DatasetManifest, blessed: DatasetManifest) -> Iterator[str]:
    """Yields a message where the classes are not those of the blessed model."""
    new = sorted(set(manifest.class_names) - set(blessed.class_names))
    gone = sorted(set(blessed.class_names) - set(manifest.class_names))
    changes = [
        f"{what} {shown(names)}" for what, names in (("new:", new), ("gone:", gone)) if names
    ]
    if changes:
        yield f"the classes differ from the blessed model's ({'; '.join(changes)})"


def _find(check: str, severity: Severity, find: Find) -> Iterator[DatasetFinding]:
    if severity == "ignore":
        return
    for message in find():
        yield DatasetFinding(check=check, severity=severity, message=message)


def _find_all(checks: Mapping[str, Find], config: ValidateConfig) -> Iterator[DatasetFinding]:
    for check, find in checks.items():
        yield from _find(check, getattr(config, check), find)


def _names(ids: Iterable[str], digests: Container[int]) -> list[str]:
    return sorted(id_ for id_ in ids if example_digest(id_) in digests)


def _counts(manifest: DatasetManifest, split: Split) -> dict[str, int]:
    per_class = manifest.splits[split].examples_per_class
    return dict(zip(manifest.class_names, per_class, strict=True))
