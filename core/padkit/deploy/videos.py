"""Combines the frames of a video into one result, by a declared rule. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from padkit.data.preparation.sampling import sampling_rule
from padkit.deploy.predictor import Predictor
from padkit.deploy.verdict import WORDS, Judgement, Reason, Verdict
from padkit.errors import SettingsError, closest

RULES = ("mean", "median", "vote", "first:K")


@dataclass(frozen=True, slots=True, kw_only=True)
class Combine:
    """How the frames of a video become one result; only the largest face of a frame counts.

    Args:
        rule: `mean` or `median` of the scores; `vote`: the share of frames judged bona fide, against 0.5; `first:K`:
            the mean of the first K judged frames.
        frames: Frames looked at: `uniform:N`, `every:N`, `first:N`, `all` or `ssdg`.
        least: Fewest frames that must be judged for a verdict.
    """

    rule: str = "mean"
    frames: str = "uniform:8"
    least: int = 1

    def __post_init__(self) -> None:
        sampling_rule(self.frames)
        name, _, number = self.rule.partition(":")
        if name == "first" and number.isascii() and number.isdecimal() and int(number) > 0:
            return
        if self.rule not in RULES[:-1]:
            raise SettingsError(f"rule {self.rule!r} to combine frames is unknown.{closest(self.rule, RULES)}")


def combined(predictor: Predictor, source: str, frames: Sequence[Judgement], combine: Combine) -> Judgement:
    """Return the result of a video from those of its frames."""
    first = [one for one in frames if one.face == 0]
    scores = [one.score for one in first if one.score is not None]
    counts = (len(scores), len(first))
    if len(scores) < max(combine.least, 1):
        reason = first[0].reason if first and not scores and len({one.reason for one in first}) == 1 else None
        detail = f"{counts[0]} of {counts[1]}" + (f": {WORDS[reason]}" if reason else "")
        return replace(predictor.unjudged(source, Reason.FEW_FRAMES, detail), frames=counts)
    score, vote = _score(scores, combine.rule, predictor)
    threshold = predictor.bundle.choose(predictor.policy)
    accepted = score >= (0.5 if vote else threshold.value)
    return Judgement(
        source=source, verdict=Verdict.BONA_FIDE if accepted else Verdict.ATTACK, score=score,
        threshold=0.5 if vote else threshold.value, policy=f"{threshold.policy}, {combine.rule}",
        model=predictor.model, frames=counts,
    )  # fmt: skip


def _score(scores: Sequence[float], rule: str, predictor: Predictor) -> tuple[float, bool]:
    if rule == "vote":
        return float(np.mean([predictor.verdict(score) is Verdict.BONA_FIDE for score in scores])), True
    if rule == "median":
        return float(np.median(scores)), False
    kept = scores[: int(rule.partition(":")[2])] if rule.startswith("first:") else scores
    return float(np.mean(kept)), False
