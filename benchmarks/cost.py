"""Cost of a training step of each aligner and each teacher, relative to the plain student.

    python benchmarks/cost.py [--sizes 64,128] [--batch-size 24] [--threads 1] [--rounds 7]
                              [--aligners daa,daa+mixstyle] [--teachers arcface,arcface+stargan]

A step is forward, backward and optimiser. Variants take turns, so that a busy machine slows all alike, and processor
time is counted, not time on the wall; the figure is the median over rounds of a variant's time over the plain student's
in the same round. Images are noise: only time is measured.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence

import torch

from padkit.catalog import Catalog
from padkit.networks.detector import Detector
from padkit.training.distillation import FrozenTeachers, TeacherOptions
from padkit.training.objective import Objective
from padkit.training.optimisation import make_optimizer

N_DOMAINS = 3
PLAIN = "plain student"


class Step:
    """One variant of the objective with its optimiser."""

    def __init__(self, catalog: Catalog, size: int, aligner: str, teachers: Sequence[str]) -> None:
        torch.manual_seed(0)
        detector = Detector(catalog.build("student", "timm", {}))
        handed = N_DOMAINS, detector.student.embedding_dim
        built = catalog.build("aligner", aligner, {}, *handed) if aligner else None
        frozen = FrozenTeachers({name: catalog.build("teacher", name, {}) for name in teachers})
        options = {name: TeacherOptions() for name in teachers}
        self.objective = Objective(detector, built, frozen, options, size).to(memory_format=torch.channels_last)
        frozen.to(torch.device("cpu"))
        self.optimizer = make_optimizer("adamw", self.objective.parameters(), 1e-3, 0.01)

    def seconds(self, images: torch.Tensor, labels: torch.Tensor, domains: torch.Tensor) -> float:
        """Return the processor time of one step."""
        start = time.process_time()
        self.objective.total(self.objective(images, labels, domains, 0.5)).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return time.process_time() - start


def measure(catalog: Catalog, variants: dict[str, tuple[str, list[str]]], size: int, batch: int, rounds: int) -> None:
    """Print one table."""
    steps = {name: Step(catalog, size, *parts) for name, parts in variants.items()}
    images = torch.rand(batch, 3, size, size).contiguous(memory_format=torch.channels_last)
    data = images, torch.arange(batch) % 2, torch.arange(batch) // 2 % N_DOMAINS
    times: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(rounds + 1):
        for name, step in steps.items():
            seconds = step.seconds(*data)
            if number:  # the first round fills caches
                times[name].append(seconds)
    print(f"{size} px, batch {batch}, {torch.get_num_threads()} thread(s), {rounds} rounds")
    for name, found in times.items():
        ratios = [seconds / plain for seconds, plain in zip(found, times[PLAIN], strict=True)]
        ratio = f"x {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"{name:20}{1000 * statistics.median(found):8.0f} ms  {ratio}", flush=True)


def main() -> None:
    """Measure every aligner that is installed and the recipe's teachers, or those that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sizes", default="64,128", help="sides of the images in pixels")
    parser.add_argument("--batch-size", type=int, default=24)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--aligners", default="", help="aligners, joined ones too; all by default")
    parser.add_argument("--teachers", default="arcface,stargan,arcface+stargan", help="teachers, several by +")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    catalog = Catalog()
    aligners = options.aligners.split(",") if options.aligners else catalog.names("aligner")
    variants: dict[str, tuple[str, list[str]]] = {PLAIN: ("", [])}
    variants |= {name: (name, []) for name in aligners}
    variants |= {names: ("", names.split("+")) for names in options.teachers.split(",") if names}
    for size in options.sizes.split(","):
        measure(catalog, variants, int(size), options.batch_size, options.rounds)


if __name__ == "__main__":
    main()
