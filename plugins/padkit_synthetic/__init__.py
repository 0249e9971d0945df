"""The simulated capture world: built-in datasets, simulated attacks of a user's photographs, an augmentation."""

from __future__ import annotations

from padkit.hookspecs import hookimpl
from padkit.specs import AugmentationSpec, CommandSpec, DatasetSpec


@hookimpl
def padkit_datasets() -> list[DatasetSpec]:
    """Return the simulated world, the simulated portraits, and live photographs with simulated attacks."""
    return [
        DatasetSpec(
            name="synthetic",
            summary="simulated capture world: prints and replays in four domains, masks in a fifth (no real data)",
            factory="padkit_synthetic.reader:SyntheticReader",
        ),
        DatasetSpec(
            name="faces",
            summary="simulated portraits with identities and attributes, for pretraining the teachers (no real data)",
            factory="padkit_synthetic.reader:FacesReader",
        ),
        DatasetSpec(
            name="photographs",
            summary="your live photographs, as they are and before simulated cameras, with simulated attacks of them",
            factory="padkit_synthetic.photographs.reader:PhotographsReader",
        ),
    ]


@hookimpl
def padkit_augmentations() -> list[AugmentationSpec]:
    """Return the simulated recapture."""
    return [
        AugmentationSpec(
            name="recapture",
            summary="some bona fide training images become simulated print or replay attacks of themselves",
            factory="padkit_synthetic.recapture:Recapture",
        )
    ]


@hookimpl
def padkit_commands() -> list[CommandSpec]:
    """Return the commands that simulate attacks of a user's photographs and that draw the world."""
    return [
        CommandSpec(
            name="simulate",
            summary="make simulated print and replay attacks of face photographs, as a dataset to train on",
            factory="padkit_synthetic.photographs.simulate:main",
        ),
        CommandSpec(
            name="world",
            summary="draw the simulated world: portraits, every species in every domain, spectra",
            factory="padkit_synthetic.pictures:main",
        ),
    ]
