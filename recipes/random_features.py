"""Random features: a linear probe on a network that was never trained, as a control for every detector that was.

    padkit train random_features                          # simulated data, an untrained ResNet-18
    padkit train random_features --student.model tf_efficientnet_lite0 --level 2
    python recipes/ablation.py --cell 'plain: aligner=none teachers=none' --cell 'random: recipe=random_features'

The student gets random weights, whatever weights its settings name; the means over one of its maps go into a logistic
regression, whose penalty is chosen on held-out source presentations. Data, protocol, scores and files are those of
dtda.py, but there is no model to ship and no page.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Literal

from padkit.catalog import Catalog
from padkit.data.preparation.prepare import prepare
from padkit.data.protocols.protocol import protocol_for
from padkit.errors import SettingsError, run_as_command
from padkit.networks.detector import Detector
from padkit.networks.random_weights import calibrate, untrained
from padkit.runs import checkpoints
from padkit.settings import Slot, ranges, read_settings
from padkit.training import (
    Experiment,
    choose_threads,
    conclude,
    keep,
    naming_dead_workers,
    open_run,
    quoted_policies,
    reserve_folder,
    seed_run,
    start,
    training_images,
)
from padkit.training.linear_probe import Pooled, fit_probe

SLOTS = {"data": Slot("dataset", "synthetic", required=True), "student": Slot("student", "timm", required=True)}


@dataclass(frozen=True, slots=True)
class Options:
    """Random features: fit a linear probe on an untrained network, and test it on a domain it never saw.

    Args:
        protocol: Protocol by name, in place of target and sources: 'O&C&I->M', 'O->C&I&M', intra:O, oulu-npu:3.2.
        target: Domain to test on; not needed if the data have only one domain, which is then divided itself.
        sources: Domains to fit on; all others by default.
        convention: Splits that count: official, ssdg or all, as in dtda.py.
        out: Run folder; by default a new one under runs/.
        seed: Seed of the random weights.
        level: Which map of the student the probe sees, from 1, the shallowest; 0 is its embedding.
        batch_size: Frames that are looked at together, over all processes.
        policy: Threshold policy that is quoted first: source-dev, dev-eer, target-eer or fixed:VALUE, as in dtda.py.
        workers: Processes that load images; by default 0 on a CPU, at most 8 with a GPU.
        threads: CPU threads per process; auto takes those that find a core of their own when it starts.
        strict: An unreadable image is an error; otherwise it is skipped and counted.
    """

    protocol: str | None = None
    target: str | None = None
    sources: list[str] | None = None
    convention: Literal["official", "ssdg", "all"] | None = None
    out: str | None = None
    seed: ranges.Seed = 0
    level: ranges.Whole = 1
    batch_size: ranges.BatchSize = 48
    policy: str | None = None
    workers: ranges.Workers | None = None
    threads: ranges.Processes | Literal["auto"] | None = "auto"
    strict: bool = False


@naming_dead_workers()
def main() -> int:
    """Read the settings, prepare the data, fit the probe, evaluate."""
    catalog = Catalog()
    settings = read_settings(Options, SLOTS, sys.argv[1:], catalog, "random_features.py")
    options = settings.recipe
    quoted_policies(options.policy)
    accelerator = start(batch_size=options.batch_size)
    choose_threads(accelerator, options.threads, steady=True)
    reserve_folder(accelerator, options.out, None)
    reader = catalog.build_chosen(settings.one("data"))
    with accelerator.main_process_first():
        name, shown = settings.needed("data").name, accelerator.is_main_process
        table = prepare(reader, dataset_name=name, strict=options.strict, progress=shown)
    protocol = protocol_for(
        table, reader, protocol=options.protocol, target=options.target, sources=options.sources,
        convention=options.convention, seed=options.seed,
    )  # fmt: skip
    quoted = quoted_policies(options.policy, protocol)
    seed_run(options.seed)
    student = untrained(catalog.build_chosen(settings.one("student")), options.seed)
    if student is None:
        raise SettingsError("student: it has no weights that could be random; choose another, say timm.")
    detector = Detector(Pooled(student, options.level)).to(accelerator.device)
    name = f"random-{options.protocol or protocol.target}-seed{options.seed}"
    run = open_run(accelerator, options.out, None, name, settings.tree, catalog.discovery, table.preparation)
    experiment = Experiment(
        accelerator, reader, table, protocol, run, options.batch_size, options.workers, options.seed
    )
    experiment.tell()
    calibrate(student, training_images(experiment))
    probe = fit_probe(experiment, detector)
    figures = {f"source_dev/{name}": value for name, value in experiment.source_dev(detector, None).items()}
    keep(accelerator, run, {"step": 0, **figures})
    accelerator.print(f"penalty 1/{probe.strength:g}, source-dev: auc {probe.auc:.3f}")
    if accelerator.is_main_process:
        checkpoints.keep_selected(run, detector, {}, 0)
    conclude(experiment, detector, None, quoted=quoted, selection="source-dev", settings=settings.tree)
    accelerator.end_training()
    return 0


if __name__ == "__main__":
    sys.exit(run_as_command(main))
