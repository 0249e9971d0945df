"""Uploads a bundle to the Hugging Face Hub by the hub's own client and card class. Imports no torch."""

from __future__ import annotations

from pathlib import Path

from padkit.deploy import CARD
from padkit.deploy.bundle import Bundle
from padkit.deploy.card import HEAD, model_card
from padkit.errors import DataError


def push(folder: Path, bundle: Bundle, repository: str, *, private: bool = True) -> str:
    """Upload all files of a bundle in one commit and return its address.

    The card is the folder's `README.md`, or a new one where there is none; its head gets what it lacks to be found as a
    model of padkit.

    Args:
        folder: The bundle's folder.
        bundle: What it says of itself.
        repository: `owner/name`.
        private: Whether a new repository is private; an existing one stays as it is.

    Raises:
        DataError: The hub cannot be reached or refuses, or the card's head is no YAML.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    card = hub_card(folder, bundle)
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    added = [CommitOperationAdd(path.name, path) for path in files if path.name != CARD]
    added.append(CommitOperationAdd(CARD, card.encode()))
    client = HfApi()
    try:
        client.create_repo(repository, private=private, exist_ok=True)
        message = f"Upload a model of padkit ({bundle.sha256[:12] or 'checksum not recorded'})"
        return str(client.create_commit(repository, added, commit_message=message).commit_url)
    except Exception as error:  # the client's own errors, the network's, and the file system's
        cause = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        remedy = "check the name, the network, HF_HUB_OFFLINE and `hf auth login`"
        raise DataError(f"{repository}: not uploaded ({cause.rstrip('.')}); {remedy}.") from error


def hub_card(folder: Path, bundle: Bundle) -> str:
    """Return the card of a bundle with a head that the hub reads.

    Raises:
        DataError: The card's head is no YAML, or holds no entries.
    """
    from huggingface_hub import ModelCard

    path = folder / CARD
    text = path.read_text(encoding="utf-8") if path.is_file() else model_card(bundle)
    try:
        card = ModelCard(text)
    except Exception as error:  # ValueError, or what YAML raises
        cause = " ".join(str(error).split())
        raise DataError(
            f"{path}: its head cannot be read ({cause}); write it as YAML between two lines ---."
        ) from error
    for name, value in HEAD.items():
        if card.data.get(name) is None:
            setattr(card.data, name, value)
    return str(card)
