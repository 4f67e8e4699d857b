"""Energy of an inference: what the processor's own counters (RAPL) say that its packages took.

Linux shows them as powercap zones, one for each package, and counts up to a range and from 0 again.
They are of the whole package, idle cores and what else runs included, so an inference that shares
the machine pays for all. Where there are none, or none that this process may read (since 2020 root
alone), nothing is measured.
"""

import dataclasses
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

_POWERCAP = Path("/sys/class/powercap")
_SECONDS = 1.0
"""Of running a model: the counters move every millisecond, as long as some inferences."""


@dataclasses.dataclass(frozen=True)
class Package:
    """A processor package's counter.

    Attributes:
      counter: the file with its microjoules.
      range_uj: where it begins at 0 again.
    """

    counter: Path
    range_uj: int

    def read(self) -> int:
        return int(self.counter.read_text())


def find_packages(powercap: Path = _POWERCAP) -> tuple[Package, ...]:
    """Returns the packages whose counters can be read; none where there are no such."""
    found = []
    for zone in sorted(powercap.glob("intel-rapl:*")):
        try:
            # Others are parts of packages (core, dram), or count them again (psys).
            if (zone / "name").read_text().startswith("package"):
                limit = int((zone / "max_energy_range_uj").read_text())
                package = Package(zone / "energy_uj", limit)
                package.read()
                found.append(package)
        except (OSError, ValueError):
            continue
    return tuple(found)


def measure_energy(
    run: Callable[[], None],
    packages: Sequence[Package],
    *,
    seconds: float = _SECONDS,
    now: Callable[[], float] = time.monotonic,
) -> float:
    """Returns the millijoules of one call, averaged over those of about a second.

    Args:
      run: the call.
      packages: at least one.
      seconds: how long to call it; less than a counter takes to come round.
      now: the time in seconds.
    """
    run()
    count, before, started = 0, _read_all(packages), now()
    while count == 0 or now() - started < seconds:
        run()
        count += 1
    taken = zip(packages, before, _read_all(packages), strict=True)
    # A range of r counts 0 to r, r included.
    return sum((end - start) % (each.range_uj + 1) for each, start, end in taken) / 1000 / count


def _read_all(packages: Iterable[Package]) -> list[int]:
    return [package.read() for package in packages]
