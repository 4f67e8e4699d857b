"""What a picture looks like, in few bytes: the mean of each of 8 by 8 fields, for each channel.

Saved anew, in another size or quality, a picture has nearly the same sketch.
"""

from PIL import Image

SIDE = 8


def sketch_picture(picture: Image.Image) -> bytes:
    """Returns the sketch of a picture that was fitted: uint8 [SIDE, SIDE, channels]."""
    return picture.resize((SIDE, SIDE), Image.Resampling.BOX, reducing_gap=1.0).tobytes()
