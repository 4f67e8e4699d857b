"""What a task finds itself on: the CPU's model, and how many cores it may use."""

import math
import os
import platform
from pathlib import Path

_CPU_INFO = Path("/proc/cpuinfo")
_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def cpu_model(cpu_info: Path = _CPU_INFO) -> str:
    """Returns the CPU's model as the kernel calls it, else what Python knows of it."""
    if cpu_info.is_file():
        for line in cpu_info.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def usable_cores(cpu_quota: Path = _CPU_QUOTA) -> int:
    """Returns how many cores this process may use: a pod is given fewer than its node has.

    Args:
      cpu_quota: cgroup v2's file of `<quota> <period>`, in microseconds.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    if cpu_quota.is_file():
        quota, period = cpu_quota.read_text().split()
        if quota != "max":
            cores = min(cores, math.ceil(int(quota) / int(period)))
    return max(1, cores)
