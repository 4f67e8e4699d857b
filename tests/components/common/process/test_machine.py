"""The CPU's model and the cores that a process may use."""

import os
import re
from pathlib import Path

import pytest

from components.common.process.machine import cpu_model, usable_cores

REPOSITORY = Path(__file__).parents[4]


def test_the_cpu_model_is_what_the_kernel_calls_it(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nvendor_id\t: X\nmodel name\t: Fast CPU @ 3 GHz\n")
    assert cpu_model(info) == "Fast CPU @ 3 GHz"


def test_without_proc_the_platform_names_the_cpu(tmp_path: Path) -> None:
    assert cpu_model(tmp_path / "absent")


@pytest.mark.parametrize(
    ("quota", "cores"), [("100000 100000", 1), ("50000 100000", 1), ("1 1000000", 1)]
)
def test_a_pods_quota_limits_the_cores(tmp_path: Path, quota: str, cores: int) -> None:
    limit = tmp_path / "cpu.max"
    limit.write_text(quota + "\n")
    assert usable_cores(limit) == cores


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("150000 100000", 2), ("100001 100000", 2), ("200000 100000", 2), ("250000 100000", 3)],
)
def test_a_part_of_a_core_is_one_more_to_use(
    tmp_path: Path, quota: str, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    limit = tmp_path / "cpu.max"
    limit.write_text(quota + "\n")
    assert usable_cores(limit) == cores


@pytest.mark.parametrize("quota", ["max 100000", "6400000 100000"])
def test_a_wide_quota_leaves_all_cores(tmp_path: Path, quota: str) -> None:
    limit = tmp_path / "cpu.max"
    limit.write_text(quota + "\n")
    assert usable_cores(limit) == len(os.sched_getaffinity(0))


def test_nobody_else_asks_the_system_for_its_cores() -> None:
    """MacOS lacks sched_getaffinity, and neither it nor cpu_count knows a pod's quota."""
    asking = {
        path.relative_to(REPOSITORY).as_posix()
        for room in ("components", "pipeline")
        for path in (REPOSITORY / room).rglob("*.py")
        if re.search(r"\b(cpu_count|sched_getaffinity)\b", path.read_text())
    }
    assert asking == {"components/common/process/machine.py"}
