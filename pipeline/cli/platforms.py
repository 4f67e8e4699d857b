"""Where litesmith runs: the platforms for which everything that it is made of has wheels.

make asks before it sets anything up, the command before it imports anything. So nothing but
the standard library is used here, in words that an older Python reads as well.
"""

from __future__ import annotations

import platform
import sys

PYTHONS = ((3, 11), (3, 13))
"""The oldest and the newest."""
MACHINES = {"Linux": ("x86_64", "aarch64"), "Darwin": ("arm64",)}
SUPPORTED = "Linux on x86-64 or aarch64, or macOS on Apple silicon (arm64)"


def refuse_platform(system: str, machine: str, version: tuple[int, int]) -> str | None:
    """Says why litesmith can't run somewhere; None where it can.

    Args:
      system: as `platform.system()` has it.
      machine: as `platform.machine()` has it.
      version: of Python, major and minor.
    """
    if machine not in MACHINES.get(system, ()):
        remedy = {
            "Windows": "; on Windows use WSL 2, which is Linux",
            "Darwin": "; on Apple silicon use a Python that is built for arm64",
        }.get(system, "")
        return f"litesmith runs on {SUPPORTED}; this is {system} on {machine}{remedy}"
    oldest, newest = (".".join(map(str, python)) for python in PYTHONS)
    if not PYTHONS[0] <= version <= PYTHONS[1]:
        found = ".".join(map(str, version))
        return (
            f"litesmith needs Python {oldest} to {newest}; this is {found}: "
            f"make PYTHON=python{newest} ..."
        )
    return None


def refuse_this_platform() -> str | None:
    """Says why litesmith can't run here; None where it can."""
    return refuse_platform(platform.system(), platform.machine(), sys.version_info[:2])


if __name__ == "__main__":
    sys.exit(refuse_this_platform())
