"""Settings of DTDA chosen on source data only: nested leave one domain out on the simulated world.

    python benchmarks/source_choice.py [--steps 160] [--seeds 0] [--only plain,DAA] [--out runs/source_choice.csv]

For a target T every candidate is trained on two of the three other domains and judged on the third, a pseudo target; T
itself is never read. Each of the six pairs of domains is trained on once and judged on both remaining domains. Printed
for each candidate: the pseudo-target HTER (%) at the source-dev threshold, mean over everything and over the nine
trainings without T for each T. Finished trainings are kept in the file `--out`, so that it goes on after a kill.
"""

from __future__ import annotations

import argparse
import csv
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from padkit.catalog import Catalog
from padkit.data.batches import BalancedBatches, Frames, to_images
from padkit.data.preparation.prepare import FrameTable, prepare
from padkit.data.protocols.protocol import leave_one_out
from padkit.evaluation.metrics import equal_error, error_rates
from padkit.evaluation.scores import presentation_scores
from padkit.networks.detector import Detector
from padkit.training.distillation import FrozenTeachers, TeacherOptions
from padkit.training.objective import Objective
from padkit.training.optimisation import averaged, make_optimizer, warm_up_cosine
from padkit.training.teaching import fit_statistics
from padkit_synthetic.reader import SyntheticReader
from padkit_synthetic.world import SOURCES


@dataclass(frozen=True)
class Candidate:
    """Aligner with its settings, and the options of each teacher."""

    aligner: str = ""
    settings: Mapping[str, Any] | None = None
    teachers: Mapping[str, TeacherOptions] | None = None


def both(weight: float, use: Any = "both") -> dict[str, TeacherOptions]:
    """Return the same options for both teachers."""
    return dict.fromkeys(("fr", "fe"), TeacherOptions(loss_weight=weight, use=use))


STYLE = {"epsilon": 0.0, "colour": 16 / 255, "contrast": 0.3, "spectrum": 0.6, "learns_from": "both"}
CANDIDATES = {
    "plain": Candidate(),
    "DAA 2/255": Candidate("daa", {"epsilon": 2 / 255, "attacked_share": 1.0}),
    "DAA 2/255, half": Candidate("daa", {"epsilon": 2 / 255, "attacked_share": 0.5}),
    "DAA 4/255": Candidate("daa", {"epsilon": 4 / 255, "attacked_share": 1.0}),
    "DAA 4/255, half": Candidate("daa", {"epsilon": 4 / 255, "attacked_share": 0.5}),
    "DAA 8/255, half": Candidate("daa", {"epsilon": 8 / 255, "attacked_share": 0.5}),
    "DAA style, half": Candidate("daa", {**STYLE, "attacked_share": 0.5}),
    "noise 2/255, half": Candidate("noise", {"epsilon": 2 / 255, "attacked_share": 0.5}),
    "teachers 1": Candidate(teachers=both(1.0)),
    "teachers 0.3": Candidate(teachers=both(0.3)),
    "teachers 0.1": Candidate(teachers=both(0.1)),
    "teachers 0.3, maps": Candidate(teachers=both(0.3, "maps")),
    "DTDA 2/255 half, 0.3": Candidate("daa", {"epsilon": 2 / 255, "attacked_share": 0.5}, both(0.3)),
}
NETWORKS = {"fr": "arcface", "fe": "stargan"}


def train(candidate: Candidate, table: FrameTable, pair: tuple[str, ...], steps: int, seed: int) -> Detector:
    """Return the averaged detector after `steps` steps on the train splits of `pair`."""
    torch.manual_seed(seed)
    catalog, other = Catalog(), next(d.name for d in SOURCES if d.name not in pair)
    protocol = leave_one_out(table, other, list(pair))
    detector, light = Detector(catalog.build("student", "timm", {})), catalog.build("augmentation", "light", {})
    size = detector.student.embedding_dim
    aligner = (
        catalog.build("aligner", candidate.aligner, candidate.settings or {}, 2, size) if candidate.aligner else None
    )
    options = dict(candidate.teachers or {})
    teachers = FrozenTeachers({name: catalog.build("teacher", NETWORKS[name], {}) for name in options})
    side = table.image(0).shape[-1]
    objective = Objective(detector, aligner, teachers, options, side).to(memory_format=torch.channels_last)
    optimizer = make_optimizer("adamw", objective.parameters(), 1e-3, 0.01)
    schedule, average = warm_up_cosine(optimizer, steps, 0.1), averaged(detector, 0.98)
    frames = Frames(table, protocol.train, protocol.domain_index)
    batches, step = BalancedBatches(frames.labels, frames.domains, batch_size=24, seed=seed), 0
    known = (torch.stack([frames[int(place)]["image"] for place in batch]) for batch in islice(batches, 16))
    fit_statistics(objective, map(to_images, known))
    while step < steps:
        for indices in batches:
            torch.manual_seed(seed + 1_000_003 * step)
            samples = [frames[int(index)] for index in indices]
            images = light.vary(to_images(torch.stack([sample["image"] for sample in samples])))
            labels, domains = (torch.tensor([sample[name] for sample in samples]) for name in ("label", "domain"))  # type: ignore[literal-required]
            objective.total(objective(images, labels, domains, step / steps)).backward()
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            average.update_parameters(detector)
            step += 1
            if step == steps:
                break
        batches.set_epoch(batches.epoch + 1)
    return average.module.eval()  # type: ignore[no-any-return]


@torch.no_grad()
def scores(detector: Detector, table: FrameTable, rows: NDArray[np.int64]) -> Any:
    """Return the presentation scores of `rows`."""
    parts = [
        detector(to_images(torch.stack([torch.from_numpy(table.image(int(row))) for row in part])))
        for part in np.array_split(rows, len(rows) // 96 + 1)
    ]
    names = ("presentation", "label", "dataset", "domain", "split", "subject", "attack_type", "species", "device")
    return presentation_scores({name: table.column(name)[rows] for name in names}, torch.cat(parts).numpy())


def judge(detector: Detector, table: FrameTable, pair: tuple[str, ...], target: str) -> float:
    """Return the HTER in [0, 1] on the test split of `target` at the source-dev threshold."""
    protocol = leave_one_out(table, target, list(pair))
    dev, test = scores(detector, table, protocol.dev), scores(detector, table, protocol.test)
    threshold = equal_error(dev.label, dev.score).threshold
    return error_rates(test.label, test.score, threshold).hter


def summary(rows: Sequence[Mapping[str, str]]) -> None:
    """Print the table."""
    names = [domain.name for domain in SOURCES]
    print("candidate".ljust(24) + "all".rjust(8) + "".join(f"for {name}".rjust(13) for name in names))
    for candidate in dict.fromkeys(row["candidate"] for row in rows):
        mine = [row for row in rows if row["candidate"] == candidate]

        def mean(left_out: str, mine: Sequence[Mapping[str, str]] = mine) -> float:
            kept = [row for row in mine if left_out not in (row["target"], *row["pair"].split("&"))]
            return 100 * float(np.mean([float(row["hter"]) for row in kept])) if kept else float("nan")

        print(candidate.ljust(24) + f"{mean(''):8.1f}" + "".join(f"{mean(name):13.1f}" for name in names))


def main() -> None:
    """Train what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--steps", type=int, default=160)
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--only", default="", help="candidates, separated by semicolons")
    parser.add_argument(
        "--pairs", default="", help="pairs to train on, such as office&phone;webcam&hall; all by default"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/source_choice.csv"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    table = prepare(SyntheticReader(size="small", image_size=64), dataset_name="synthetic")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    rows = list(csv.DictReader(options.out.open())) if options.out.exists() else []
    done = {(row["candidate"], row["pair"], row["seed"]) for row in rows}
    names = [domain.name for domain in SOURCES]
    chosen = [name for name in CANDIDATES if not options.only or name in options.only.split(";")]
    pairs = [tuple(pair.split("&")) for pair in options.pairs.split(";") if pair] or itertools.combinations(names, 2)
    for name, pair, seed in itertools.product(chosen, list(pairs), options.seeds.split(",")):
        if (name, "&".join(pair), seed) in done:
            continue
        detector = train(CANDIDATES[name], table, pair, options.steps, int(seed))
        for target in names:
            if target not in pair:
                hter = judge(detector, table, pair, target)
                rows.append(
                    {"candidate": name, "pair": "&".join(pair), "target": target, "seed": seed, "hter": str(hter)}
                )
        with options.out.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["candidate", "pair", "target", "seed", "hter"])
            writer.writeheader()
            writer.writerows(rows)
        print(name, "&".join(pair), seed, [f"{float(row['hter']):.3f}" for row in rows[-2:]], flush=True)
    summary(rows)


if __name__ == "__main__":
    main()
