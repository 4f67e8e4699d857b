"""The CPU's model and the cores that a process may use."""

import os
from pathlib import Path

import pytest

from components.common.process.machine import cpu_model, usable_cores


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
