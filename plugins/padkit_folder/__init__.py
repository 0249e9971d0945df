"""Readers of a user's own data: image folders, lists, Hugging Face datasets, folders of identities, prepared tables."""

from __future__ import annotations

from padkit.hookspecs import hookimpl
from padkit.specs import DatasetSpec


@hookimpl
def padkit_datasets() -> list[DatasetSpec]:
    """Return the readers."""
    return [
        DatasetSpec(
            name="folder",
            summary="Folder of images or videos <root>/<domain>/<split>/{live,spoof}[/<attack type>]/...",
            factory="padkit_folder.tree:FolderReader",
        ),
        DatasetSpec(
            name="manifest",
            summary="CSV, TSV or Parquet list of images or videos with a path and a label column",
            factory="padkit_folder.manifest:ManifestReader",
        ),
        DatasetSpec(
            name="huggingface",
            summary="Hugging Face dataset (folder or hub id) with an image and a label column",
            factory="padkit_folder.huggingface:HuggingFaceReader",
        ),
        DatasetSpec(
            name="identities",
            summary="Bona fide portraits <root>/<identity>/*, or CelebA's layout, to pretrain teachers",
            factory="padkit_folder.identities:IdentitiesReader",
        ),
        DatasetSpec(
            name="prepared",
            summary="One or several tables that `padkit prepare` made, opened as they are",
            factory="padkit_folder.tables:TablesReader",
        ),
    ]
