"""How an ablation's runs are started: how many at a time, where, in which precision, with how many threads."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Collection
from dataclasses import dataclass

from padkit.ablation.workers import places
from padkit.processes import cores, free_cores

ACCELERATE = ("-m", "accelerate.commands.launch")
MOST_LOADERS = 8  # processes that load the images of one run


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How the runs of an ablation are started.

    Attributes:
        jobs: Runs at a time.
        devices: CUDA devices.
        threads: CPU threads of each run; None shares out the cores that are free.
        precision: Precision of every run, as Accelerate names it; None leaves it to the environment.
        words: Arguments of `accelerate launch` on one line; None starts the runs without it.
    """

    jobs: int = 1
    devices: int = 0
    threads: int | None = None
    precision: str | None = None
    words: str | None = None

    def facts(self) -> dict[str, str]:
        """Return what a run's figures depend on."""
        precision = self.precision or os.environ.get("ACCELERATE_MIXED_PRECISION", "no")
        return {"precision": precision, "launch": self.words or ""}

    def command(self) -> list[str]:
        """Return the command that starts a recipe; its file and arguments are added."""
        if self.words is None:
            return [sys.executable]
        precision = ["--mixed_precision", self.precision] if self.precision else []
        return [sys.executable, *ACCELERATE, *precision, *shlex.split(self.words)]

    def crew(self) -> list[dict[str, str]]:
        """Return the environment variables of each worker."""
        precision = {"ACCELERATE_MIXED_PRECISION": self.precision} if self.precision else {}
        return [{**place, **precision} for place in places(self.jobs, self.devices)]

    def share(self, given: Collection[str]) -> list[str]:
        """Return each run's share of the cores as options: threads on a CPU, loader processes beside a GPU.

        Runs side by side on a CPU share the cores that are free now; a run alone finds its own number.

        Args:
            given: Settings that the plan sets itself.
        """
        if self.threads:
            return ["--threads", str(self.threads)]
        if not self.devices and "threads" not in given:
            return ["--threads", str(max(free_cores() // self.jobs, 1))] if self.jobs > 1 else []
        part = min(max(cores() // self.jobs, 1), MOST_LOADERS)
        return ["--workers", str(part)] if self.devices and self.jobs > 1 and "workers" not in given else []
