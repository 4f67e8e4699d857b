"""What examples that are nearly the same do to a training and to its test.

As in components.validate.checks, each check yields what it noticed, in words.
"""

from collections.abc import Iterator

from components.common.documents.dataset import DatasetManifest
from components.common.documents.near_copies import NearCopies
from components.common.documents.placed import Placed
from components.common.tasks.sources import sources_of
from components.common.words.figures import counted, shown


def find_left_out(found: NearCopies, manifest: DatasetManifest) -> Iterator[str]:
    """Yields a message where examples were left out, as one of another split is nearly the same."""
    if count := found.left_out:
        pairs = [
            f"{pair.other.path} ({pair.other.split}), as {pair.one.path} ({pair.one.split})"
            for pair in found.pairs
            if pair.in_two_splits
        ]
        examples = sources_of(manifest.task).EXAMPLES
        left_out = counted(count, f"of the {examples} was", f"of the {examples} were")
        yield (
            f"{left_out} kept out of validation and test, because an earlier split has nearly the "
            f"same: {shown(pairs, of=count)}. Where they differ in what matters, keep them: "
            "data.near_copies=keep"
        )


def tell_left_out(manifest: DatasetManifest) -> str:
    """Returns a sentence of what validation and test lost as near copies; nothing if nothing."""
    if not (count := manifest.rejects.get("near_copy", 0)):
        return ""
    near_copies = counted(count, "near copy was", "near copies were")
    return f". {near_copies} kept out of validation and test (data.near_copies=keep leaves them in)"


def find_near_copies(found: NearCopies, manifest: DatasetManifest) -> Iterator[str]:
    """Yields a message where one split has nearly the same examples as another."""
    if (count := found.in_two_splits) and not found.left_out:
        pairs = [
            f"{pair.one.path} ({pair.one.split}) and {pair.other.path} ({pair.other.split})"
            for pair in found.pairs
            if pair.in_two_splits
        ]
        yield (
            f"{_pairs_are(count, manifest)} nearly the same and in two splits, so that the later "
            f"one flatters the model: {shown(pairs, of=count)}. Give what belongs together one "
            "group in a data.list, or leave out the later one of each pair: "
            "data.near_copies=leave_out"
        )


def find_near_contradictions(found: NearCopies, manifest: DatasetManifest) -> Iterator[str]:
    """Yields a message where examples of two classes are nearly the same."""

    def name(example: Placed) -> str:
        return f"{example.path} ({manifest.class_names[example.label]})"

    if count := found.with_two_labels:
        pairs = [
            f"{name(pair.one)} and {name(pair.other)}"
            for pair in found.pairs
            if pair.has_two_labels
        ]
        yield (
            f"{_pairs_are(count, manifest)} nearly the same and of two classes: "
            f"{shown(pairs, of=count)}. Mend or leave out what has the wrong label; where classes "
            "do differ by so little, no model will tell them apart reliably"
        )


def _pairs_are(count: int, manifest: DatasetManifest) -> str:
    examples = sources_of(manifest.task).EXAMPLES
    return counted(count, f"pair of {examples} is", f"pairs of {examples} are")
