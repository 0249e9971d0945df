"""Judges faces in pictures with a bundle: finds them, cuts them as in training, scores them. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from padkit.catalog import Catalog
from padkit.data.media.pictures import Frame, check_frame, to_square
from padkit.data.preparation.finders import HINTED, RECORDED, check_finder, finder
from padkit.data.preparation.squares import Square, cut, face_box, face_square
from padkit.data.presentation import FaceHint
from padkit.deploy.bundle import WHOLE, Bundle, model_folder, read_bundle
from padkit.deploy.forms import from_metadata
from padkit.deploy.quality import Limits, quality_of, refusal, strip
from padkit.deploy.runtimes import SUFFIXES, open_exported
from padkit.deploy.scorers import Scorer, applied_temperature, resized, scorer
from padkit.deploy.stability import FaceStability, face_stability, shrunk, varied
from padkit.deploy.verdict import WORDS, Judgement, Reason, Verdict
from padkit.errors import DataError, SettingsError, WeightsError, closest
from padkit.evaluation.temperature import tempered

FACES = ("all", "largest", "one")
DEFAULT_FINDER = "lbp"  # offline, and without weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A face that was cut.

    Attributes:
        crop: uint8 RGB [S, S, 3].
        box: Its box in the picture, None for the whole picture.
        quality: Its figures.
        refused: Why it is not judged, with the figure; None if it is.
        square: What was cut from the picture; None for the whole picture.
    """

    crop: Frame
    box: tuple[float, float, float, float] | None
    quality: Mapping[str, float]
    refused: tuple[Reason, str] | None
    square: Square | None = None


@dataclass(frozen=True, kw_only=True)
class Predictor:
    """A model ready to judge; build it with `padkit.load`.

    Attributes:
        bundle: What the model says of itself.
        score: Crops uint8 RGB [B, S, S, 3] -> P(bona fide) [B].
        face: The face finder; `none` takes the whole picture as the crop.
        face_model: Its weights, for finders that need some.
        faces: Which faces of a picture are judged: `all`, the `largest`, or `one`, where several are a reason not to.
        limits: What is still judged; None judges everything that has a face.
        policy: Threshold policy; "" takes the bundle's first.
        folder: Where the bundle is; the file itself, where an exported file is all there is.
        stability: Whether each face is judged again with its box changed a little and at smaller sizes.
    """

    bundle: Bundle
    score: Scorer
    face: str = DEFAULT_FINDER
    face_model: str = ""
    faces: Literal["all", "largest", "one"] = "all"
    limits: Limits | None = field(default_factory=Limits)
    policy: str = ""
    folder: Path = Path()
    stability: bool = False

    def __post_init__(self) -> None:
        if self.faces not in FACES:
            raise SettingsError(f"faces {self.faces!r} is unknown.{closest(self.faces, FACES)}")
        check_finder(self.face)
        if self.face in ("hints", RECORDED):
            raise SettingsError(
                f"face finder {self.face!r} takes what a dataset says of its faces, and a picture alone says nothing; "
                "take lbp, lbp-tight or scrfd."
            )
        self.bundle.choose(self.policy)

    def judge(self, picture: Image.Image | Frame, source: str = "picture", frame: int | None = None) -> list[Judgement]:
        """Judge the faces of one picture, the largest first; at least one result, for no face as well.

        Args:
            picture: Upright, a Pillow image or uint8 RGB [H, W, 3].
            source: Name of the input in the results.
            frame: Number of the frame in a video.

        Raises:
            DataError: The array is not uint8 RGB.
        """
        if not isinstance(picture, Image.Image):
            check_frame(picture, source)
            picture = Image.fromarray(picture)
        if detail := strip(*picture.size):
            return [self.unjudged(source, Reason.UNREADABLE, detail, frame=frame)]
        if picture.mode != "RGB":
            picture = picture.convert("RGB")
        return self.judge_found(self.find(picture), source, frame, picture)

    def judge_found(
        self, found: Sequence[Found], source: str, frame: int | None = None, picture: Image.Image | None = None
    ) -> list[Judgement]:
        """Judge the faces that `find` found in one picture, mode RGB, which only `stability` needs; see `judge`."""
        if not found:
            return [self.unjudged(source, Reason.NO_FACE, frame=frame, faces=0)]
        if self.faces == "one" and len(found) > 1:
            return [self.unjudged(source, Reason.SEVERAL_FACES, f"{len(found)} faces", frame=frame, faces=len(found))]
        shown = found if self.faces == "all" else found[:1]
        scores = self.scores([one.crop for one in shown if one.refused is None])
        left = iter(scores.tolist())
        results = [
            self._judgement(one, None if one.refused else next(left), source, frame, number, len(found))
            for number, one in enumerate(shown)
        ]
        if picture is None or not self.stability:
            return results
        return [self._steady(picture, *pair) for pair in zip(results, shown, strict=True)]

    def stability_of(self, crop: Frame, changed: Mapping[str, Frame], own: float) -> tuple[float, FaceStability]:
        """Return the score of a face, and what changes of its box and of its size do to it.

        Args:
            crop: uint8 RGB [S, S, 3].
            changed: Crops after each change of the box (`padkit.deploy.stability.varied`).
            own: Side of the face in the photograph, or in the stored crop, in pixels.
        """
        smaller = shrunk(resized(crop, self.bundle.image_size), self.bundle.crop.margin, own)
        usual, *scores = self.scores([crop, *changed.values(), *smaller.values()]).tolist()
        by_change = dict(zip(changed, scores, strict=False))
        by_side = dict(zip(smaller, scores[len(changed) :], strict=True))
        accepts = self.bundle.choose(self.policy).value
        return usual, face_stability(usual, by_change, by_side, lambda score: score >= accepts)

    def find(self, picture: Image.Image) -> list[Found]:
        """Return the faces of an upright picture of mode RGB, the largest first, cut as in training."""
        if self.face == WHOLE:
            return [self._found(picture, FaceHint(), None)]
        weights = self.face_model or finder_weights(self.face)
        faces = sorted(finder(self.face, weights)(picture, None), key=_area, reverse=True)
        cuts = ((face, self._square(picture, face)) for face in faces)
        return [self._found(picture, face, square) for face, square in cuts if square is not None]

    def scores(self, crops: Sequence[Frame]) -> NDArray[np.float32]:
        """Return P(bona fide) [n] of crops, uint8 RGB [S, S, 3] each, of any size S; float32 in [0, 1]."""
        if not crops:
            return np.empty(0, dtype=np.float32)
        batch = np.stack([resized(crop, self.bundle.image_size) for crop in crops])
        return self._calibrated(self.score(batch))

    def unjudged(
        self, source: str, reason: Reason, detail: str = "", *, frame: int | None = None, faces: int = 0
    ) -> Judgement:
        """Return the result of an input without a face that can be judged."""
        threshold = self.bundle.choose(self.policy)
        return Judgement(
            source=source, verdict=Verdict.NOT_JUDGED, threshold=threshold.value, policy=threshold.policy,
            reason=reason, detail=_words(reason, detail), frame=frame, faces=faces, model=self.model,
        )  # fmt: skip

    @property
    def model(self) -> str:
        """The first 12 digits of the checksum of the weights."""
        return self.bundle.sha256[:12]

    def verdict(self, score: float) -> Verdict:
        """Return what is said of a score in [0, 1]."""
        return Verdict.BONA_FIDE if score >= self.bundle.choose(self.policy).value else Verdict.ATTACK

    def save(self, folder: Path | str) -> Path:
        """Copy the whole bundle, or the exported file, into a folder, each file whole or not at all; return the folder.

        Raises:
            DataError: The folder cannot be written.
        """
        from padkit.files import write_atomically

        target = Path(folder)
        files = self.folder.iterdir() if self.folder.is_dir() else (self.folder, self.folder.with_suffix(".bin"))
        for path in sorted(files):
            if path.is_file() and not path.name.startswith("."):
                write_atomically(target / path.name, path.read_bytes())
        return target

    def push_to_hub(self, repository: str, *, private: bool = True) -> str:
        """Upload the bundle to the Hugging Face Hub by its own client, in one commit, and return the address.

        Args:
            repository: `owner/name`.
            private: Whether a new repository is private.

        Raises:
            DataError: The hub cannot be reached or refuses, the card's head is no YAML, or the predictor was loaded
                from an exported file alone.
        """
        if not self.folder.is_dir():
            raise DataError(
                f"{self.folder}: is an exported file alone; load its bundle's folder to push it to the hub."
            )
        from padkit.deploy.hub import push

        return push(self.folder, self.bundle, repository, private=private)

    def _found(self, picture: Image.Image, face: FaceHint, square: Square | None) -> Found:
        size = self.bundle.image_size
        crop = to_square(picture, size) if square is None else cut(picture, square, size)
        quality = quality_of(picture, face, square)
        refused = refusal(quality, self.limits) if self.limits is not None else None
        return Found(crop=crop, box=face_box(face), quality=quality, refused=refused, square=square)

    def _square(self, picture: Image.Image, face: FaceHint) -> Square | None:
        crop = self.bundle.crop
        width, height = picture.size
        try:
            square = face_square(face, margin=crop.margin, align=crop.align, width=width, height=height)
        except DataError:  # a box outside the picture is no face
            return None
        return square and Square(square.x, square.y - crop.drop * square.side, square.side, square.slope)

    def _steady(self, picture: Image.Image, one: Judgement, face: Found) -> Judgement:
        """Return a result with its stability, if it was judged."""
        if one.score is None:
            return one
        margin = self.bundle.crop.margin
        changed = varied(picture, face.square, self.bundle.image_size, margin)
        own = min(picture.size) / (1 + 2 * margin) if face.box is None else min(face.box[2:])
        return replace(one, stability=self.stability_of(face.crop, changed, own)[1])

    def _judgement(
        self, one: Found, score: float | None, source: str, frame: int | None, number: int, faces: int
    ) -> Judgement:
        threshold = self.bundle.choose(self.policy)
        reason, figure = one.refused or (None, "")
        return Judgement(
            source=source, frame=frame, face=number, faces=faces, box=one.box, quality=one.quality, score=score,
            verdict=Verdict.NOT_JUDGED if score is None else self.verdict(score),
            threshold=threshold.value, policy=threshold.policy, model=self.model,
            reason=reason, detail="" if reason is None else _words(reason, figure),
        )  # fmt: skip

    def _calibrated(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Divide the log-odds by what is left of the bundle's temperature (Guo et al., 2017)."""
        temperature = self.bundle.temperature / applied_temperature(self.score)
        return scores if temperature == 1 else tempered(scores, temperature).astype(np.float32)


def load(path: Path | str, *, backend: str = "auto", threads: int | None = None, **settings: Any) -> Predictor:
    """Return the predictor of a bundle.

    Args:
        path: A run's folder, its `model/` folder, the name of an installed model (`experimental`), `owner/name` on the
            Hugging Face Hub, or a file that `padkit export` wrote (`.onnx`, `.xml`, `.pt2`), which says all that is
            needed.
        backend: See `padkit.deploy.scorers.scorer`; a file needs none.
        threads: CPU threads.
        settings: Further attributes of `Predictor`. By default faces are found as in training where that is possible
            without the dataset, and otherwise by `lbp`. `face_model` may be the name of a pack, `buffalo_l` by default.

    Raises:
        WeightsError: There is no bundle, it is damaged, or the face finder's weights cannot be had.
        SettingsError: A setting is wrong.
    """
    score: Scorer
    file = Path(path).expanduser()
    if file.suffix in SUFFIXES and not file.is_dir():
        if backend != "auto":
            raise SettingsError(f"{path}: an exported file is its own backend; leave --backend {backend} out.")
        exported = open_exported(file, threads)
        bundle, score, folder = from_metadata(exported.metadata, str(path)), exported, file
    else:
        folder = model_folder(located(path))
        bundle = read_bundle(folder)
        score = scorer(folder, bundle, backend, threads)
    asked = "face" in settings or "face_model" in settings  # otherwise perhaps no face will be looked for
    settings.setdefault("face", usual_finder(bundle))
    if asked:
        settings["face_model"] = finder_weights(settings["face"], settings.get("face_model", ""))
    return Predictor(bundle=bundle, score=score, folder=folder, **settings)


def located(path: Path | str) -> Path:
    """Return the local folder of a path, of an installed model, or of one on the hub, which its client downloads.

    Raises:
        WeightsError: It is none of them.
        PluginError: The plugin of an installed model cannot be used.
    """
    local = Path(path).expanduser()
    if local.is_dir():
        return local
    if not local.exists() and (installed := installed_model(str(path))) is not None:
        return installed
    parts = str(path).split("/")
    if local.exists() or len(parts) != 2 or not all(parts) or str(path).startswith((".", "~")):
        raise WeightsError(
            f"{path}: no such folder; give a run's folder, its model/ folder, an installed model's name (`padkit "
            "plugins --role model`), or owner/name on the hub."
        )
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(str(path), allow_patterns=["*.json", "*.safetensors", "*.onnx", "*.xml", "*.bin", "*.md"])
        )
    except Exception as error:  # the client's own, the network's, and the file system's
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(f"{path}: no such folder, and not on the hub ({cause}); check the name.") from error


def installed_model(name: str) -> Path | None:
    """Return the folder of a model that a plugin brings; None if none has this name.

    Raises:
        PluginError: The plugin cannot be used.
    """
    catalog = Catalog()
    if all((one.role, one.spec.name) != ("model", name) for one in catalog.discovery.components):
        return None
    folder: Path = catalog.build("model", name, {})
    return folder


def finder_weights(face: str, model: str = "") -> str:
    """Return the weights file of a face finder; "" for those that need none.

    Args:
        face: The finder.
        model: The weights of `scrfd`: an .onnx file, or the name of a pack, `buffalo_l` by default.

    Raises:
        WeightsError: They cannot be had.
    """
    if face != "scrfd":
        return ""
    from padkit.data.preparation.scrfd import scrfd_weights

    return str(scrfd_weights(model or "buffalo_l", download=False))


def usual_finder(bundle: Bundle) -> str:
    """Return the finder that a bundle's pictures are searched by where no other is asked for."""
    return bundle.crop.face if bundle.crop.face not in (WHOLE, *HINTED) else DEFAULT_FINDER


def _area(face: FaceHint) -> float:
    box = face_box(face)
    return box[2] * box[3] if box else 0.0


def _words(reason: Reason, figure: str) -> str:
    return f"{WORDS[reason]} ({figure})" if figure else WORDS[reason]


def non_response(results: Iterable[Judgement]) -> tuple[int, int]:
    """Return how many of the results are not judged, and how many there are (ISO/IEC 30107-3, non-response rate)."""
    verdicts = [one.verdict for one in results]
    return verdicts.count(Verdict.NOT_JUDGED), len(verdicts)
