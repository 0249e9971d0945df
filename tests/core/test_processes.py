"""Which cores a process may use, what others do on them, and how many threads then pay."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest

from padkit import processes
from padkit.processes import OtherUse, cores, paying_threads, quota


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, None),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1.5),
        # the tightest of the groups above counts
        (
            {
                "proc/self/cgroup": "0::/job/step\n",
                "sys/fs/cgroup/job/step/cpu.max": "max 100000\n",
                "sys/fs/cgroup/job/cpu.max": "400000 100000\n",
                "sys/fs/cgroup/cpu.max": "800000 100000\n",
            },
            4.0,
        ),
        (
            {
                "proc/self/cgroup": "3:cpuset:/\n2:cpu,cpuacct:/box\n",
                "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us": "200000\n",
                "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us": "100000\n",
            },
            2.0,
        ),
        (
            {
                "proc/self/cgroup": "1:cpu:/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            None,
        ),
        ({}, None),
    ],
)
def test_the_limit_of_a_container(tmp_path: Path, files: dict[str, str], expected: float | None) -> None:
    assert quota(write(tmp_path, files)) == expected


@pytest.mark.parametrize(("limit", "expected"), [(None, 8), (2.5, 2), (0.5, 1), (64.0, 8)])
def test_cores_are_those_of_affinity_and_limit(
    monkeypatch: pytest.MonkeyPatch, limit: float | None, expected: int
) -> None:
    monkeypatch.setattr(processes, "_allowed", lambda: list(range(8)))
    monkeypatch.setattr(processes, "quota", lambda: limit)
    assert cores() == expected


@pytest.mark.parametrize(
    ("most", "others", "expected"),
    [(2, 0.0, 2), (2, 0.4, 2), (2, 0.6, 1), (2, 1.0, 1), (2, 2.0, 1), (16, 8.0, 8), (1, 0.0, 1)],
)
def test_threads_that_find_a_core(most: int, others: float, expected: int) -> None:
    assert paying_threads(most, others) == expected


def test_own_work_is_no_work_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cores, ten seconds: nine busy on one and four on the other, three of them ours; one core is not allowed."""
    fields = type(psutil.cpu_times())._fields

    def times(**busy: float) -> object:
        return type(psutil.cpu_times())(**dict.fromkeys(fields, 0.0) | busy)

    then = [times(user=50.0, idle=5.0), times(), times(user=1.0)]
    now = [times(user=58.0, system=1.0, idle=6.0), times(user=500.0), times(user=5.0, idle=6.0)]
    looks, clock, own = iter([then, now]), iter([0.0, 10.0]), iter([7.0, 10.0])
    monkeypatch.setattr(psutil, "cpu_times", lambda percpu: next(looks))
    monkeypatch.setattr(processes.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(processes.time, "process_time", lambda: next(own))
    monkeypatch.setattr(processes, "_allowed", lambda: [0, 2])
    assert OtherUse().look() == pytest.approx((9 + 4 - 3) / 10)


def test_a_look_at_this_machine_is_between_nothing_and_all_cores() -> None:
    watch = OtherUse()
    time.sleep(0.02)
    assert 0 <= watch.look() <= (psutil.cpu_count() or 1)
