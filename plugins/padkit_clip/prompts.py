"""Texts that describe live faces and attacks, and the head that compares an image with them.

CLIP scores an image by the cosine of its embedding with those of texts (Radford et al., ICML 2021); FLIP (Srivatsan et
al., ICCV 2023) does so for face anti-spoofing, with several texts per class. FLIP also trains the text tower; here the
texts are encoded once and stay fixed, and no text tower is needed afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence

import open_clip
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from padkit.errors import SettingsError, WeightsError
from padkit_clip.loading import Clip

LIVE = (
    "a photo of a live face",
    "a photo of a real person in front of the camera",
    "a genuine human face",
    "this face is real",
)
ATTACK = (
    "a photo of a printed photo of a face",
    "a photo of a screen that shows a face",
    "a face behind a mask",
    "a spoof attack on a face recognition system",
    "this face is fake",
)
MOST_CONFIDENT = 100.0  # CLIP's bound on its temperature


class TextHead(nn.Module):
    """Logits of two classes: cosines with the classes' vectors, times a trainable temperature.

    Args:
        classes: A vector for attack and one for bona fide [2, D].
        log_scale: Natural logarithm of the initial temperature.
    """

    def __init__(self, classes: Tensor, log_scale: float) -> None:
        super().__init__()
        self.classes: Tensor
        self.register_buffer("classes", F.normalize(classes, dim=1))
        self.log_scale = nn.Parameter(torch.tensor(log_scale))

    def forward(self, embedding: Tensor) -> Tensor:
        """Return logits [B, 2], 0 = attack and 1 = bona fide, of embeddings [B, D] of any length."""
        # In single precision: cosines of the classes differ in the third digit, which half precision does not keep.
        cosines = F.cosine_similarity(embedding.float()[:, None], self.classes, dim=-1)
        return self.log_scale.exp().clamp(max=MOST_CONFIDENT) * cosines


def text_head(clip: Clip, dim: int, live: Sequence[str] | None, attack: Sequence[str] | None) -> TextHead:
    """Return the head that classifies by the `live` and the `attack` texts; None takes padkit's texts.

    A class's vector is the mean of its texts' normalised embeddings. Without weights, texts have no meaning: the
    classes are random vectors, to which training adapts or which loaded weights replace.

    Args:
        clip: The model.
        dim: Length of its embeddings.
        live: Texts of live faces.
        attack: Texts of attacks.

    Raises:
        SettingsError: A class has no texts.
        WeightsError: The model's tokenizer cannot be loaded.
    """
    texts = [list(ATTACK if attack is None else attack), list(LIVE if live is None else live)]
    if not all(texts):
        raise SettingsError("clip: live_prompts and attack_prompts need a text each, at least.")
    log_scale = float(clip.model.logit_scale.detach())
    if not clip.trained:
        return TextHead(torch.randn(len(texts), dim), log_scale)
    try:
        tokenizer = open_clip.get_tokenizer(clip.name)
    except (OSError, RuntimeError, ImportError) as error:
        reason = " ".join(str(error).split())[:200]
        raise WeightsError(
            f"clip: the tokenizer of {clip.name} could not be had ({reason}); go online once."
        ) from error
    model = clip.model.eval()
    with torch.no_grad():
        classes = [model.encode_text(tokenizer(some), normalize=True).mean(dim=0) for some in texts]
    return TextHead(torch.stack(classes), log_scale)
