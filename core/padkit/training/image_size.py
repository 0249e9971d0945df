"""Whether a student takes images of the data's size: some networks have a size of their own, or a smallest one."""

from __future__ import annotations

import torch

from padkit.catalog import Chosen
from padkit.errors import SettingsError, one_line
from padkit.networks.detector import Detector

USUAL = (32, 64, 96, 112, 128, 160, 192, 224, 240, 256, 299, 336, 384, 448)


def check_image_size(detector: Detector, size: int, student: Chosen, data: Chosen) -> None:
    """Score one grey image of the data's size, which costs little and takes no random number.

    Args:
        detector: The detector, still on the CPU.
        size: Side in pixels of the images that it will be given.
        student: The component that its student was built from.
        data: The component that gives the images.

    Raises:
        SettingsError: The student does not take the size; names one that it takes, and where to set it.
    """
    problem = _problem(detector, size)
    if not problem:
        return
    others = sorted(USUAL, key=lambda other: abs(other - size))
    taken = next((other for other in others if not _problem(detector, other)), 0)
    option = "--data.image_size" if "image_size" in data.settings else "padkit prepare's --size"
    remedy = f"it takes {taken}: set {option} {taken}, or" if taken else "none of the usual sizes fits it;"
    model = " ".join(filter(None, (student.name, str(student.settings.get("model", "")))))
    raise SettingsError(
        f"student {model} does not take images of {size} x {size} pixels ({problem}); {remedy} choose another student."
    )


def _problem(detector: Detector, size: int) -> str:
    """Return why the detector cannot score an image of `size` pixels, "" if it can; its state stays as it is."""
    training = [module for module in detector.modules() if module.training]
    detector.eval()
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            detector(torch.full((1, 3, size, size), 0.5))
    except Exception as error:  # noqa: BLE001 - a network may raise anything
        return one_line(error).rstrip(".")
    finally:
        for module in training:
            module.training = True
    return ""
