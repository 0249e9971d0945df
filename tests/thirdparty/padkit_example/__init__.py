"""A plugin of padkit in a distribution of its own. Imports no torch: listing plugins must be quick."""

from __future__ import annotations

from padkit.hookspecs import hookimpl
from padkit.specs import AlignerSpec, AugmentationSpec, CommandSpec, DatasetSpec, PeerSpec, StudentSpec, TeacherSpec


@hookimpl
def padkit_teachers() -> list[TeacherSpec]:
    """Offer `example-teacher`."""
    summary = "A bank of random, frozen convolutions."
    return [TeacherSpec(name="example-teacher", summary=summary, factory="padkit_example.bank:ConvolutionBank")]


@hookimpl
def padkit_aligners() -> list[AlignerSpec]:
    """Offer `moments`."""
    summary = "Draws the mean features of the domains together."
    return [AlignerSpec(name="moments", summary=summary, factory="padkit_example.moments:MomentMatching")]


@hookimpl
def padkit_students() -> list[StudentSpec]:
    """Offer `cells`."""
    return [StudentSpec(name="cells", summary="Two convolutions.", factory="padkit_example.cells:Cells")]


@hookimpl
def padkit_datasets() -> list[DatasetSpec]:
    """Offer `stripes`."""
    summary = "Three domains of rendered stripes (no real data)."
    return [DatasetSpec(name="stripes", summary=summary, factory="padkit_example.stripes:Stripes")]


@hookimpl
def padkit_augmentations() -> list[AugmentationSpec]:
    """Offer `dusk`."""
    summary = "Darkens training images by a random factor."
    return [AugmentationSpec(name="dusk", summary=summary, factory="padkit_example.dusk:Dusk")]


@hookimpl
def padkit_peers() -> list[PeerSpec]:
    """Offer `contest`."""
    return [PeerSpec(name="contest", summary="The winner of a contest.", factory="padkit_example.contest:contest")]


@hookimpl
def padkit_commands() -> list[CommandSpec]:
    """Offer `padkit draw-stripes`."""
    summary = "draw stripes side by side"
    return [CommandSpec(name="draw-stripes", summary=summary, factory="padkit_example.drawing:main")]
