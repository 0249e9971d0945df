"""The eight hooks. A plugin implements any of them with `@hookimpl` and registers in entry-point group `padkit`."""

from __future__ import annotations

import pluggy

from padkit.specs import (
    AlignerSpec,
    AugmentationSpec,
    CommandSpec,
    DatasetSpec,
    ModelSpec,
    PeerSpec,
    StudentSpec,
    TeacherSpec,
)

GROUP = "padkit"

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@hookspec
def padkit_teachers() -> list[TeacherSpec]:
    """Return the teachers of this plugin; classes derive from `padkit.roles.Teacher`."""
    return []


@hookspec
def padkit_aligners() -> list[AlignerSpec]:
    """Return the domain aligners of this plugin; classes derive from `padkit.roles.Aligner`."""
    return []


@hookspec
def padkit_students() -> list[StudentSpec]:
    """Return the student backbones of this plugin; classes derive from `padkit.roles.Student`."""
    return []


@hookspec
def padkit_datasets() -> list[DatasetSpec]:
    """Return the dataset readers of this plugin; classes derive from `padkit.data.reader.DatasetReader`."""
    return []


@hookspec
def padkit_augmentations() -> list[AugmentationSpec]:
    """Return the augmentations of this plugin; classes derive from `padkit.data.augmentation.Augmentation`."""
    return []


@hookspec
def padkit_peers() -> list[PeerSpec]:
    """Return the descriptions of other programs' models; functions that return a `padkit.deploy.peer.Peer`."""
    return []


@hookspec
def padkit_models() -> list[ModelSpec]:
    """Return the trained models that this plugin brings; functions that return the folder of a bundle."""
    return []


@hookspec
def padkit_commands() -> list[CommandSpec]:
    """Return the subcommands of `padkit` that this plugin adds; functions `main(arguments: Sequence[str]) -> int`."""
    return []
