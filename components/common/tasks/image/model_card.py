"""What whoever uses a model must know of the pictures that it takes."""

from collections.abc import Mapping

from components.common.documents.candidate import TFLiteModel
from components.common.documents.image import ImageSpec
from components.common.tasks.card_code import classifying_code
from components.common.tasks.image.words import fit_in_words

CLASSIFIER = "an image classifier"


def input_properties(model: TFLiteModel, image: ImageSpec) -> list[tuple[str, str]]:
    """Returns name and text of what the card's head says of the input."""
    shape = " × ".join(str(length) for length in model.input.shape)
    return [
        ("Input", f"{model.input.dtype}, {shape}: raw pixels in [0, 255]"),
        ("Fit", f"{image.fit}: pictures are {fit_in_words(image)}"),
    ]


def release_files(data: bytes, model: TFLiteModel) -> Mapping[str, bytes]:
    """Returns nothing: preprocessing is inside the model."""
    return {}


def explain_use(model: TFLiteModel, image: ImageSpec) -> str:
    """Returns how a picture must be brought to the model, in a few lines of text."""
    _, height, width, _ = model.input.shape
    runtimes = "MediaPipe and the Task Library "
    if image.fit == "stretch":
        runtimes += "do so themselves."
    else:
        runtimes += "stretch a picture instead: hand them one that is fitted already."
    return f"""\
The model takes a picture's raw pixels, as they are: preprocessing is inside it. Bring a
picture to {width} × {height} as the data set's were, {fit_in_words(image)}, with
{image.background} behind what is transparent, and feed {model.input.dtype} values in [0, 255].
{runtimes}"""


def example_code(model: TFLiteModel, image: ImageSpec) -> str:
    """Returns a few lines of Python that classify a picture with the released files.

    Args:
      model: the released model.
      image: how pictures are made square.
    """
    _, height, width, channels = model.input.shape
    mode = "L" if channels == 1 else "RGB"
    bilinear = f"({width}, {height}), Image.Resampling.BILINEAR"
    fitted = {
        "crop": f"ImageOps.fit(picture, {bilinear})",
        "pad": f"ImageOps.pad(picture, {bilinear}, color={image.background!r})",
        "stretch": f"picture.resize({bilinear})",
    }[image.fit]
    return classifying_code(
        model,
        needed="from PIL import Image, ImageOps",
        prepared=f"""\
picture = ImageOps.exif_transpose(Image.open("picture.png")).convert("RGBA")
background = Image.new("RGBA", picture.size, {image.background!r})
picture = Image.alpha_composite(background, picture).convert("{mode}")
picture = {fitted}
pixels = np.asarray(picture, np.{model.input.dtype}).reshape(1, {height}, {width}, {channels})""",
        fed="image=pixels",
    )
