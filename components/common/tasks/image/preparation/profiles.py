"""Colour profiles: pictures that state another colour space than sRGB are brought to sRGB.

Phones save Display P3, and cameras Adobe RGB: the same numbers are other colours there,
by up to some twenty levels. Nearly all pictures with a profile name sRGB itself, or one
that comes to the same; these are left alone, after one look at the profile.
"""

import functools
import io
from typing import Any

import numpy as np
from PIL import Image, ImageCms

_MAX_PROFILE_BYTES = 4 << 20  # Profiles for printing have up to two millions.
_TOLERANCE = 2
"""Levels by which the profiles that are called sRGB differ from one another."""

_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}
"""A profile's colour space -> the mode of pictures in it."""
_FITTING = {
    "RGB": {"1", "L", "LA", "I;16", "P", "PA", "RGB", "RGBA"},
    "L": {"1", "L", "LA", "I;16"},
    "CMYK": {"CMYK"},
}
"""A profile's mode -> the modes of pictures that it can be meant for."""


class ProfileError(Exception):
    """A profile that can't be used; the message says why."""


class Conversion:
    """Brings pictures of one colour space to sRGB."""

    def __init__(self, mode: str, transform: Any) -> None:
        self._mode, self._transform = mode, transform

    def apply(self, picture: Image.Image) -> Image.Image:
        """Returns the picture in mode RGB, or RGBA where it is transparent somewhere."""
        alpha = None
        if picture.has_transparency_data:
            alpha = picture.convert("RGBA").getchannel("A")
        opaque = picture if picture.mode == self._mode else picture.convert(self._mode)
        converted = ImageCms.applyTransform(opaque, self._transform)
        assert converted is not None  # It is not made in place.
        converted.info.clear()
        if alpha is not None:
            converted.putalpha(alpha)
        return converted


def conversion_to_srgb(profile: bytes, mode: str) -> Conversion | None:
    """Returns what brings a picture to sRGB, None where it is as good as sRGB.

    Args:
      profile: ICC profile that lies in the picture's file.
      mode: of the picture.

    Raises:
      ProfileError: the profile is damaged, or none for such pictures.
    """
    if len(profile) > _MAX_PROFILE_BYTES:
        raise ProfileError(f"the colour profile has {len(profile)} bytes")
    profile_mode, conversion = _read_profile(profile)
    if mode not in _FITTING[profile_mode]:
        raise ProfileError(f"the colour profile is for {profile_mode}, the picture is {mode}")
    return conversion


@functools.lru_cache(maxsize=16)
def _read_profile(profile: bytes) -> tuple[str, Conversion | None]:
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = opened.profile.xcolor_space
        if space not in _MODES:
            raise ProfileError(f"the colour profile is for {space.strip()}")
        mode = _MODES[space]
        transform = ImageCms.buildTransform(opened, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (OSError, ImageCms.PyCMSError) as error:
        raise ProfileError("the colour profile is damaged") from error
    conversion = Conversion(mode, transform)
    return mode, None if _changes_nothing(conversion, mode) else conversion


def _changes_nothing(conversion: Conversion, mode: str) -> bool:
    if mode == "CMYK":
        return False
    levels = np.linspace(0, 255, 9).round().astype(np.uint8)
    if mode == "L":
        probe = Image.fromarray(levels[None])
    else:
        cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1)
        probe = Image.fromarray(cube.reshape(9, 81, 3))
    found = np.asarray(conversion.apply(probe)).astype(int)
    return bool(np.abs(found - np.asarray(probe.convert("RGB"))).max() <= _TOLERANCE)
