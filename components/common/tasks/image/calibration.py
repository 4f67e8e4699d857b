"""The pictures from which int8 takes its activation ranges.

Together they must span [0, 255], or the input's own quantization would clip what a device may feed;
where they do not, two corner pixels of the first picture are set: the fewest windows of a
convolution see a corner.
"""

import numpy as np
import numpy.typing as npt

CALIBRATED_ON = "calibration pictures"


def span_range(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Returns the pictures, changed in two pixels at most, spanning [0, 255].

    Args:
      pictures: uint8 [n, height, width, channels], n at least 1.
    """
    spanning = pictures.copy()
    if spanning.min() > 0:
        spanning[0, 0, 0] = 0
    if spanning.max() < 255:
        spanning[0, -1, -1] = 255
    return spanning
