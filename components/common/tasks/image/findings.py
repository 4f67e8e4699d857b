"""What can be wrong with the pictures themselves, and with how a device will show them.

preprocess decodes every picture and leaves notes on odd ones beside the manifest; these
checks turn notes and counts into words, with what to do.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from components.common.documents.dataset import DatasetManifest
from components.common.documents.image import ImageSpec, PixelStatistics
from components.common.documents.oddities import Oddities
from components.common.documents.rejects import Note
from components.common.tasks.image.words import fit_in_words
from components.common.words.figures import counted, percent, shown

_UNLIKE = {
    "odd_size": "larger or smaller",
    "odd_aspect": "wider or higher",
    "odd_brightness": "lighter or darker",
}

_SHARE_NOT_SQUARE = 0.05
"""Pictures of another shape that a data set may have without a word."""


def odd_examples(
    manifest: DatasetManifest, notes: Sequence[Note], oddities: Oddities
) -> Mapping[str, Callable[[], Iterable[str]]]:
    """Returns the checks of pictures: name -> find."""
    image, statistics = _of(manifest)
    return {
        "one_colour": lambda: find_single_colours(notes, image),
        "nearly_blank": lambda: find_nearly_blank(oddities),
        "small_range": lambda: find_small_ranges(oddities),
        "outliers": lambda: find_outliers(oddities),
        "same_pixels": lambda: find_equal_pixels(notes),
        "not_square": lambda: find_distortion(image, statistics, examples=_examples(manifest)),
    }


def find_single_colours(notes: Iterable[Note], image: ImageSpec) -> Iterator[str]:
    """Yields a message where pictures show nothing."""
    if found := [note for note in notes if note.kind == "one_colour"]:
        remedies = [
            f"what is drawn in {image.background} on transparent ground needs another "
            "data.background"
        ]
        if image.fit == "crop":
            remedies.append("what lies outside of the middle square needs data.fit: pad")
        yield (
            f"{counted(len(found), 'picture is', 'pictures are')} of one colour once fitted, and "
            f"{'shows' if len(found) == 1 else 'show'} nothing: {_named(found)}. Remove what is "
            f"blank; {'; '.join(remedies)}"
        )


def find_nearly_blank(oddities: Oddities) -> Iterator[str]:
    """Yields a message where pictures show hardly anything."""
    if found := oddities.kinds.get("nearly_blank"):
        count = counted(found.examples, "picture is", "pictures are")
        yield (
            f"{count} nearly blank once fitted: {found.named()}. Remove "
            "what shows nothing: a model learns from it to name a class that it hasn't seen"
        )


def find_small_ranges(oddities: Oddities) -> Iterator[str]:
    """Yields a message where pictures are dull."""
    if found := oddities.kinds.get("small_range"):
        count = counted(found.examples, "picture uses", "pictures use")
        yield (
            f"{count} a quarter of the intensities at most, from darkest to "
            f"lightest: {found.named()}. Where it is a fault of their conversion, as of 12 bits "
            "taken for 16, mend that; where a device will see such, they belong here"
        )


def find_outliers(oddities: Oddities) -> Iterator[str]:
    """Yields a message for each way in which pictures are unlike most."""
    for kind, how in _UNLIKE.items():
        if found := oddities.kinds.get(kind):
            count = counted(found.examples, "picture is", "pictures are")
            yield (
                f"{count} much {how} than most: {found.named()}. Look "
                "whether they are what they are labelled, and whether a device will see such"
            )


def find_equal_pixels(notes: Iterable[Note]) -> Iterator[str]:
    """Yields a message where equal pictures have different labels."""
    if found := [note for note in notes if note.kind == "same_pixels"]:
        yield (
            f"{len(found)} pictures are the same as one of another class once fitted, and no "
            f"model can tell them apart: {_named(found)}. Remove those with the wrong label; "
            "where the files show different things, another data.background, data.fit or a "
            "greater data.image_size keeps them apart"
        )


def find_distortion(
    image: ImageSpec, statistics: PixelStatistics, *, examples: int
) -> Iterator[str]:
    """Yields a message where a device's runtime would show the model other shapes."""
    share, fit = statistics.not_square / max(1, examples), image.fit
    if fit == "stretch" or share <= _SHARE_NOT_SQUARE:
        return
    yield (
        f"{percent(share)} of the pictures are not square, and data.fit: {fit} has them "
        f"{fit_in_words(image)}. MediaPipe and the Task Library stretch every picture "
        "to the model's input, and show it other shapes than it is trained and measured on. Choose "
        "data.fit: stretch for them; keep this where the app itself fits pictures as the model "
        "card says, and set validate.not_square: ignore"
    )


def _of(manifest: DatasetManifest) -> tuple[ImageSpec, PixelStatistics]:
    assert isinstance(manifest.spec, ImageSpec)
    assert isinstance(manifest.statistics, PixelStatistics)
    return manifest.spec, manifest.statistics


def _examples(manifest: DatasetManifest) -> int:
    return sum(split.examples for split in manifest.splits.values())


def _named(notes: Sequence[Note]) -> str:
    return shown([f"{note.path} ({note.detail})" for note in notes])
