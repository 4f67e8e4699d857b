"""What is said of pictures."""

from components.common.documents.image import ImageSpec

_COARSE = 48  # Pixels.


def fit_in_words(image: ImageSpec) -> str:
    """Returns how a picture that is not square becomes one: `stretched to a square`."""
    return {
        "crop": "cut to the square in the middle",
        "pad": f"padded to a square with {image.background}",
        "stretch": "stretched to a square",
    }[image.fit]


def describe_pictures(image: ImageSpec) -> str:
    """Returns what every picture is: `pictures of 96 × 96 pixels, colour`."""
    colours = "grey" if image.channels == 1 else "colour"
    return f"pictures of {image.width} × {image.height} pixels, {colours}"


def is_coarse(image: ImageSpec) -> bool:
    """Whether a browser that enlarges pictures had better leave their pixels square."""
    return image.width <= _COARSE
