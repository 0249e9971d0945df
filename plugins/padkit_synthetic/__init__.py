"""The embedded dataset: a simulated capture world, so that padkit works with no data and no download."""

from __future__ import annotations

from padkit.hookspecs import hookimpl
from padkit.specs import DatasetSpec


@hookimpl
def padkit_datasets() -> list[DatasetSpec]:
    """Return the simulated world and the simulated portraits."""
    return [
        DatasetSpec(
            name="synthetic",
            summary="simulated capture world: four domains, print and replay attacks (no real data)",
            factory="padkit_synthetic.reader:SyntheticReader",
        ),
        DatasetSpec(
            name="faces",
            summary="simulated portraits with identities and attributes, for pretraining the teachers (no real data)",
            factory="padkit_synthetic.reader:FacesReader",
        ),
    ]
