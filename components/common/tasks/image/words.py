"""What is said of pictures."""

from components.common.documents.image import ImageSpec


def fit_in_words(image: ImageSpec) -> str:
    """Returns how a picture that is not square becomes one: `stretched to a square`."""
    return {
        "crop": "cut to the square in the middle",
        "pad": f"padded to a square with {image.background}",
        "stretch": "stretched to a square",
    }[image.fit]
