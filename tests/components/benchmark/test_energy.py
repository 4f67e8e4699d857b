"""Energy by the processor's counters, on a powercap tree as Linux shows it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from components.benchmark.energy import find_packages, measure_energy

RANGE_UJ = 262_143_328_850


@pytest.fixture
def powercap(tmp_path: Path) -> Path:
    (tmp_path / "intel-rapl").mkdir()  # The control type itself, which has no counter.
    for zone, name in (
        ("intel-rapl:0", "package-0"),
        ("intel-rapl:0:0", "core"),
        ("intel-rapl:1", "package-1"),
        ("intel-rapl:2", "psys"),
    ):
        folder = tmp_path / zone
        folder.mkdir()
        (folder / "name").write_text(f"{name}\n")
        (folder / "max_energy_range_uj").write_text(f"{RANGE_UJ}\n")
        (folder / "energy_uj").write_text("1000\n")
    return tmp_path


def burn(powercap: Path, zone: str, microjoules: int) -> Callable[[], None]:
    """Returns a call that takes so much of a zone, whose counter comes round at its range."""
    counter = powercap / zone / "energy_uj"

    def run() -> None:
        level = (int(counter.read_text()) + microjoules) % (RANGE_UJ + 1)
        counter.write_text(f"{level}\n")

    return run


def clock(*, step_s: float) -> Callable[[], float]:
    ticks = iter(range(1_000_000))
    return lambda: next(ticks) * step_s


def test_packages_alone_are_counted_not_their_parts(powercap: Path) -> None:
    assert [package.counter.parent.name for package in find_packages(powercap)] == [
        "intel-rapl:0",
        "intel-rapl:1",
    ]


@pytest.mark.parametrize("level", [0, RANGE_UJ - 25_000])
def test_the_energy_of_a_call_is_that_of_all_packages_also_where_a_counter_comes_round(
    powercap: Path, level: int
) -> None:
    (powercap / "intel-rapl:0/energy_uj").write_text(f"{level}\n")
    first, second = burn(powercap, "intel-rapl:0", 9_000), burn(powercap, "intel-rapl:1", 3_000)
    calls = []

    def run() -> None:
        calls.append(None)
        first()
        second()

    packages = find_packages(powercap)
    found = measure_energy(run, packages, seconds=1.0, now=clock(step_s=0.1))
    assert found == pytest.approx(12.0), "millijoules"
    assert len(calls) > 5, "one to warm up, the others in turn"


def test_a_call_longer_than_the_time_there_is_runs_once(powercap: Path) -> None:
    run = burn(powercap, "intel-rapl:0", 5_000)
    found = measure_energy(run, find_packages(powercap), seconds=1.0, now=clock(step_s=60.0))
    assert found == pytest.approx(5.0)


def test_counters_that_may_not_be_read_are_none(powercap: Path) -> None:
    for counter in powercap.glob("*/energy_uj"):
        counter.unlink()
        counter.mkdir()  # Reading it fails for root as well.
    assert find_packages(powercap) == ()
    assert find_packages(powercap / "nowhere") == ()
