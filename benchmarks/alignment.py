"""What hides the domain from a fresh classifier: attack settings compared on the simulated world, without a student.

    python benchmarks/alignment.py [--targets office,phone,webcam,hall] [--only pixels,style] [--seed 0]
                                   [--steps 100] [--batch_size 24] [--out benchmarks/results/alignment.csv]

For each target and setting the aligner's classifiers are trained on the other three domains as in a run (batches
balanced over domain and class). Then a fresh classifier is trained on attacked training frames and asked about attacked
frames of people that nobody was trained on, from the same three domains (`padkit.alignment.fresh`): chance is 1/3. The
target itself is never read. The same is done with the frames as they are. How visible a setting is: the largest change
of a pixel, PSNR, and SSIM of 96 of the held-out frames (scikit-image, so it needs padkit[lbp]). Rows are kept in the
file `--out`, so that it goes on after a kill.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from padkit.alignment.fresh import fresh_domain_accuracy, perturb_all
from padkit.catalog import Catalog
from padkit.data.batches import BalancedBatches, to_images
from padkit.data.preparation.prepare import FrameTable, prepare
from padkit.data.protocols.protocol import leave_one_out
from padkit.roles import Aligner, Batch, StudentFeatures
from padkit_synthetic.reader import SyntheticReader
from padkit_synthetic.world import SOURCES

PIXELS = {"colour": 0.0, "contrast": 0.0, "spectrum": 0.0, "learns_from": "clean"}
STYLE = {"colour": 16 / 255, "contrast": 0.3, "spectrum": 0.6}
HALF = {name: value / 2 for name, value in STYLE.items()}
DOUBLE = {name: value * 2 for name, value in STYLE.items()}
OPPONENT = {"colour": 6 / 255, "contrast": 0.0, "spectrum": 0.5, "epsilon": 0.0, "axes": "opponent"}
CANDIDATES: dict[str, tuple[str, dict[str, Any]]] = {
    "pixels 2/255": ("daa", {**PIXELS, "epsilon": 2 / 255}),
    "pixels 4/255": ("daa", {**PIXELS, "epsilon": 4 / 255}),
    "pixels 8/255": ("daa", {**PIXELS, "epsilon": 8 / 255}),
    "pixels 8/255, min-max": ("daa", {**PIXELS, "epsilon": 8 / 255, "learns_from": "both"}),
    "pixels 8/255, attacked": ("daa", {**PIXELS, "epsilon": 8 / 255, "learns_from": "attacked"}),
    "pixels 8/255, 3 classifiers": ("daa", {**PIXELS, "epsilon": 8 / 255, "learns_from": "both", "classifiers": 3}),
    "grid 16, 8/255, min-max": ("daa", {**PIXELS, "epsilon": 8 / 255, "grid": 16, "learns_from": "both"}),
    "style": ("daa", {**STYLE, "epsilon": 0.0, "learns_from": "clean"}),
    "opponent style, min-max": ("daa", {**OPPONENT, "learns_from": "both"}),
    "opponent style, 3 restarted": (
        "daa",
        {**OPPONENT, "learns_from": "both", "classifiers": 3, "restart_every": 15},
    ),
    "double opponent style, min-max": (
        "daa",
        {**OPPONENT, "colour": 12 / 255, "spectrum": 1.0, "learns_from": "both"},
    ),
    "opponent style, min-max, live only": ("daa", {**OPPONENT, "learns_from": "both", "live_only": True}),
    "noise opponent style": ("noise", OPPONENT),
    "style, min-max": ("daa", {**STYLE, "epsilon": 0.0, "learns_from": "both"}),
    "spectrum, min-max": ("daa", {**PIXELS, "epsilon": 0.0, "spectrum": 0.6, "learns_from": "both"}),
    "half style + 2/255, min-max": ("daa", {**HALF, "epsilon": 2 / 255, "learns_from": "both"}),
    "double style, min-max": ("daa", {**DOUBLE, "epsilon": 0.0, "learns_from": "both"}),
    "style + 4/255, min-max": ("daa", {**STYLE, "epsilon": 4 / 255, "learns_from": "both"}),
    "style + 8/255, min-max": ("daa", {**STYLE, "epsilon": 8 / 255, "learns_from": "both"}),
    "style + 8/255, attacked": ("daa", {**STYLE, "epsilon": 8 / 255, "learns_from": "attacked"}),
    "style + grid 16, 8/255, min-max": ("daa", {**STYLE, "epsilon": 8 / 255, "grid": 16, "learns_from": "both"}),
    "noise 2/255": ("noise", {**dict.fromkeys(STYLE, 0.0), "epsilon": 2 / 255}),
    "noise 8/255": ("noise", {**dict.fromkeys(STYLE, 0.0), "epsilon": 8 / 255}),
    "noise style + 8/255": ("noise", {**STYLE, "epsilon": 8 / 255}),
    "default": ("daa", {}),
}
NOTHING = StudentFeatures((), torch.zeros(1, 1))
FIELDS = (
    "target", "setting", "seed", "steps", "domain_chance", "fresh_domain_accuracy_clean",
    "fresh_domain_accuracy_attacked", "fresh_domain_kl_clean", "fresh_domain_kl_attacked", "own_accuracy_clean",
    "own_accuracy_attacked", "perturbation_max", "perturbation_psnr", "ssim",
)  # fmt: skip


def batch(table: FrameTable, rows: NDArray[np.int64], index: NDArray[np.int64]) -> Batch:
    """Return rows of the table as one batch."""
    images = to_images(torch.from_numpy(np.stack([table.image(int(row)) for row in rows])))
    return Batch(images, torch.from_numpy(table.column("label")[rows]).long(), torch.from_numpy(index[rows]).long())


def some(whole: Batch, rows: Any) -> Batch:
    """Return some rows of a batch."""
    return Batch(whole.images[rows], whole.labels[rows], whole.domains[rows])


def train(aligner: Aligner, frames: Batch, steps: int, batch_size: int, seed: int) -> None:
    """Train what the aligner has to learn on its own."""
    parameters = list(aligner.parameters())
    if not parameters:
        return
    batches = BalancedBatches(frames.labels.numpy(), frames.domains.numpy(), batch_size=batch_size, seed=seed)
    optimizer, done = torch.optim.AdamW(parameters, lr=1e-3), 0
    aligner.train()
    while done < steps:
        batches.set_epoch(done // batches.steps)
        for rows in batches:
            optimizer.zero_grad()
            sum(aligner.losses(some(frames, rows), NOTHING, done / steps).values()).backward()
            optimizer.step()
            done += 1
            if done == steps:
                break


def ssim(aligner: Aligner, frames: Batch) -> float:
    """Return the mean structural similarity of clean and attacked images (Wang et al. 2004); 1 is no change."""
    after = perturb_all(aligner.perturb, frames)
    changed = (after != frames.images).flatten(1).any(dim=1)  # what is left as it was counts in no figure
    pairs = zip(frames.images[changed].numpy(), after[changed].numpy(), strict=True)
    found = [
        structural_similarity(clean, attacked, channel_axis=0, data_range=1.0, gaussian_weights=True, sigma=1.5,
                              use_sample_covariance=False)
        for clean, attacked in pairs
    ]  # fmt: skip
    return float(np.mean(found))


def measure(name: str, table: FrameTable, target: str, options: argparse.Namespace) -> Mapping[str, Any]:
    """Return one row."""
    torch.manual_seed(options.seed)
    protocol, domain = leave_one_out(table, target), table.column("domain")
    others = np.flatnonzero(np.isin(domain, protocol.sources) & (table.column("split") != "train"))
    others = np.random.default_rng(0).permutation(others)[: options.held_out]
    frames, held_out = (batch(table, rows, protocol.domain_index) for rows in (protocol.train, others))
    kind, settings = CANDIDATES[name]
    aligner = Catalog().build("aligner", kind, {**settings, "attacked_share": 1.0}, len(protocol.sources), 1)
    train(aligner, frames, options.steps, options.batch_size, options.seed)
    found = fresh_domain_accuracy(frames, held_out, aligner.perturb, steps=options.fresh_steps, seed=options.seed)
    own = {key: value.mean().item() for key, value in aligner.evidence(held_out, NOTHING).items()}
    told = {f"own_accuracy_{state}": own.get(f"domain_accuracy_{state}") for state in ("clean", "attacked")}
    found["ssim"] = ssim(aligner, some(held_out, slice(96)))
    return {"target": target, "setting": name, "seed": options.seed, "steps": options.steps, **found, **told}


def main() -> None:
    """Measure what is missing in the file, then print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--size", default="small")
    parser.add_argument("--image_size", type=int, default=64)
    parser.add_argument("--targets", default=",".join(d.name for d in SOURCES))
    parser.add_argument("--only", default=";".join(CANDIDATES), help="settings, separated by ;")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=100, help="steps of the aligner's own classifiers")
    parser.add_argument("--fresh_steps", type=int, default=150, help="steps of the fresh classifier")
    parser.add_argument("--batch_size", type=int, default=24)
    parser.add_argument("--held_out", type=int, default=600, help="frames to ask the fresh classifier about")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/alignment.csv"))
    options = parser.parse_args()
    table = prepare(SyntheticReader(size=options.size, image_size=options.image_size), dataset_name="synthetic")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    kept = list(csv.DictReader(options.out.open())) if options.out.exists() else []
    done = {(row["target"], row["setting"], row["seed"], row["steps"]) for row in kept}
    with options.out.open("a", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        if not kept:
            writer.writeheader()
        for name in options.only.split(";"):
            for target in options.targets.split(","):
                if (target, name, str(options.seed), str(options.steps)) in done:
                    continue
                row = measure(name, table, target, options)
                writer.writerow({k: f"{v:.4f}" if isinstance(v, float) else v for k, v in row.items()})
                file.flush()
                attacked, clean = row["fresh_domain_accuracy_attacked"], row["fresh_domain_accuracy_clean"]
                size = f"largest change {255 * row['perturbation_max']:.1f}/255, PSNR {row['perturbation_psnr']:.1f} dB"
                size += f", SSIM {row['ssim']:.3f}"
                print(f"{target:8} {name:32} fresh {clean:.3f} -> {attacked:.3f} (chance 0.333), {size}", flush=True)


if __name__ == "__main__":
    main()
