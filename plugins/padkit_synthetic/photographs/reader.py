"""Dataset `photographs`: live photographs, before simulated cameras and with simulated attacks of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from padkit.data.labels import LabelCount, stated_values
from padkit.data.preparation.options import pixels_beyond
from padkit.data.preparation.squares import Square, cut
from padkit.data.presentation import Presentation
from padkit.data.reader import DatasetReader
from padkit.data.unread import Unread
from padkit.errors import DataError, SettingsError
from padkit.settings.ranges import Count, Margin, Room, Seed, Share
from padkit_synthetic.delivery import made_with
from padkit_synthetic.drawn.instruments import left_out
from padkit_synthetic.imaging import Bytes, generator, retain_memory
from padkit_synthetic.photographs.captures import (
    FIRST,
    PRESENTED,
    SESSION,
    Capture,
    CapturePlan,
    captures,
    photographs_digest,
    told,
)
from padkit_synthetic.photographs.content import Pictures, find_pictures, refuse_shared, refuse_within
from padkit_synthetic.photographs.gallery import Gallery, find_photographs
from padkit_synthetic.photographs.recordings import ATTACKS, Recording, find_domains
from padkit_synthetic.photographs.scene import (
    FRAMING,
    largest_photograph,
    photograph_scene,
    read_content,
    read_photograph,
)
from padkit_synthetic.presentations import Scene, Shown, attack, bona_fide, first_capture
from padkit_synthetic.reader import RenderedSide, check_image_size, check_seed
from padkit_synthetic.world import DRAWN, LISTED, World

ROOT, CONTENT_OPTION = "--data.root", "--data.content"
MARGIN = 0.15  # share of the face's side
TARGET = "webcam"  # the setting held out by default, as in the simulated world


class PhotographsReader(DatasetReader):
    """Live photographs: real people; cameras, prints and screens are simulated.

    Every training photograph is seen as it is, and through the simulated cameras of every setting, which are the
    domains. Of each capture there are attacks, one of each type, whose instruments take turns. They show the same first
    capture of the same photograph, in the same light before the same camera: only the presentation differs. Such pairs
    have the same subject, session and device (`--batches pairs`). No subject is in two splits.

    Args:
        root: Folder `<subject>/<image>`, folder of images (each another subject), or list with a column `path` and
            optionally `subject` and `label`, of which only bona fide rows count.
        content: Folder of pictures without faces, objects or landscapes, in it and in all folders below it. The middle
            of each is captured and attacked like a photograph. They are trained on and never tested on.
        finder: `lbp` finds the face in each photograph (needs padkit[lbp]); photographs without one are skipped and
            counted. `none` takes the middle, for face crops.
        face_margin: Share of the face's side shown beyond it on each side. With `none` it can only be left out.
        image_size: Side of the pictures in pixels.
        room: Share of the crop's side drawn beyond it on each side, in which training moves crops. The surroundings of
            a face reach over the photograph's border where they must; its edge pixels go on there. With finder `none`
            the crop becomes so much smaller instead.
        attacks: Attack types, joined by `+`.
        settings: Capture settings, joined by `+`; `all` takes every one that has these attacks.
        cameras: `all`: each subject is before all cameras, so every setting has every split, and convention `official`
            tests other people before another camera. `one`: each is before one camera only, so that people are disjoint
            between settings too, as convention `all` needs.
        untouched: Share of the training photographs that are also seen as they are, each in one setting; 0 leaves them
            out. Development and test see photographs through cameras only.
        variants: Differently drawn captures, with their attacks, of each training photograph by each setting. An epoch
            passes over all of them, so N make it N times as long.
        world: Version of the simulated world: 4 draws cameras and instruments from ranges, anew for each capture; 3
            takes those of a fixed list.
        without: Families of instruments, joined by `+` (`laser`, `inkjet`, `photo-lab`, `phone`, `tablet`, `laptop`,
            `monitor`), that are left out of train and dev and kept in test. Needs world 4.
        video: Whether some of the cameras of world 4 deliver H.264, for which padkit[video] is needed; without, all
            deliver JPEG.
        subject_pattern: Regular expression with one group that finds the subject in the names of a flat folder's images
            or of a list without subjects.
        simulated_faces: Whether the photographs are themselves simulated portraits. Reports then call everything
            simulated, in place of "real live photographs, simulated attacks"; frames are the same.
        bona_fide: Labels of a list that mean bona fide, joined by commas.
        seed: Draws splits and captures.
    """

    simulated: bool = True
    real_faces: bool = True
    cropped: bool = True
    draws_room: ClassVar[bool] = True
    path_settings: ClassVar[tuple[str, ...]] = ("root", "content")

    def __init__(
        self,
        *,
        root: str,
        content: str | None = None,
        finder: Literal["lbp", "none"] = "lbp",
        face_margin: Margin = MARGIN,
        image_size: RenderedSide = 128,
        room: Room = 0.0,
        attacks: str = "+".join(ATTACKS),
        settings: str = "all",
        cameras: Literal["all", "one"] = "all",
        untouched: Share = 1.0,
        variants: Count = 1,
        world: World = DRAWN,
        without: str = "",
        video: bool = True,
        subject_pattern: str | None = None,
        simulated_faces: bool = False,
        bona_fide: list[str] | None = None,
        seed: Seed = 0,
    ) -> None:
        check_image_size(image_size)
        check_seed(seed)
        self.root = root
        self.content = content or None
        self.image_size = image_size
        self.room = room
        self._side = image_size + 2 * pixels_beyond(image_size, room)
        self.subject_pattern = subject_pattern
        self.real_faces = not simulated_faces
        self.margin = face_margin if _found(finder, face_margin) else None
        self.framing = None if self.margin is None else (self.margin, 0.0)
        self.framed_by = "none" if self.margin is None else "lbp-tight"
        kinds = tuple(attacks.split("+"))
        self.world = world
        self.video = video
        self.domains = find_domains(None if settings == "all" else settings.split("+"), kinds, world, video=video)
        self.plan = CapturePlan(
            attacks=kinds, cameras=cameras, untouched=untouched, variants=variants, seed=seed,
            without=left_out(without, drawn=world == DRAWN, attacks=kinds), simulated_faces=simulated_faces,
        )  # fmt: skip
        self.default_target = TARGET if TARGET in [domain.name for domain in self.domains] else ""
        self._values = stated_values(bona_fide, "--data.bona_fide")
        self._found: tuple[Gallery, Pictures] | None = None
        self._count, self._unread = LabelCount(self._values), Unread()
        self._captures: dict[str, Capture] = {}
        self._seen: tuple[Path, Bytes | str] | None = None
        self._scene: tuple[Path, Scene] | None = None
        self._shown: tuple[tuple[int, ...], Shown] | None = None

    def __getstate__(self) -> dict[str, Any]:
        # Each process lists the captures again, which is quicker than to send them.
        return {**self.__dict__, "_captures": {}, "_seen": None, "_scene": None, "_shown": None}

    def records(self) -> Iterator[Presentation]:
        """Yield every capture, photograph by photograph.

        Raises:
            DataError: The photographs are missing, or of too few subjects; there are no pictures in `content`, or they
                lie among the photographs.
        """
        self._found = None
        for capture in self._every():
            yield capture.presentation()

    def frames(self, presentation: Presentation) -> Iterator[NDArray[np.uint8]]:
        """Yield the one frame uint8 [S, S, 3] of one of `records()`; S is `image_size` and the room on both sides.

        Raises:
            DataError: The photograph is unreadable or shows no face, or the presentation is not one of `records()`.
        """
        retain_memory()
        if not self._captures:
            self._captures = {one.presentation().id: one for one in self._every()}
        capture = self._captures.get(presentation.id)
        if capture is None:
            raise DataError(
                f"presentation {presentation.id!r} is not among those of {self.root}: take presentations from "
                "records() of a reader with the same settings."
            )
        yield self._made(capture, self._photograph(capture.recording))

    def unread(self) -> Sequence[Mapping[str, Any]]:
        """Return what the folders hold beside photographs and pictures."""
        return self._unread.entries()

    def notes(self) -> Sequence[str]:
        """Return what is real and what is simulated, the division of the subjects, and what labels of a list mean."""
        labels = self._count.lines("the label column") if self._count.counts else []
        gallery, pictures = self._files()
        return [*told(gallery, self.domains, self.plan, pictures), *labels]

    def fingerprint(self) -> str:
        """Return the photographs' state, the world's version and the settings that frames depend on."""
        face = "middle" if self.margin is None else f"lbp, margin {self.margin:g}"
        gallery, pictures = self._files()
        made = f"{self.image_size} px, seed {self.plan.seed}, photographs {photographs_digest(gallery)}"
        if pictures:
            made += f", content {photographs_digest({name: (path,) for name, path in pictures.items()})}"
        world = f"{self.world}{'' if self.video or self.world == LISTED else ' without video'}"
        room = f", room {self.room:g}" if self.room else ""
        kind = "photographs" if self.real_faces else "simulated photographs"
        return f"{kind} before simulated world {world}, face {face}{room}, {made}"

    def made_with(self) -> Mapping[str, str]:
        """Return the encoder of the cameras that deliver H.264."""
        return made_with(drawn=self.world == DRAWN, video=self.video)

    def _every(self) -> Iterator[Capture]:
        gallery, pictures = self._files()
        return captures(gallery, self.domains, self.plan, pictures)

    def _files(self) -> tuple[Gallery, Pictures]:
        """Return the photographs, and the pictures without faces, listed once."""
        if self._found is None:
            self._count, self._unread = LabelCount(self._values), Unread()
            root = Path(self.root).expanduser()
            folder = None if self.content is None else Path(self.content).expanduser()
            if folder is not None:
                refuse_within(folder, root, CONTENT_OPTION, ROOT)
            gallery = find_photographs(
                root, self.subject_pattern, self._count, self._unread,
                option=ROOT, pattern_option="--data.subject_pattern",
            )  # fmt: skip
            pictures = {} if folder is None else find_pictures(folder, self._unread, option=CONTENT_OPTION)
            refuse_shared(pictures, gallery, CONTENT_OPTION, ROOT)
            self._found = gallery, pictures
        return self._found

    def _photograph(self, one: Recording) -> Bytes:
        """Return the square around the face, or the middle of content; kept, because its captures follow each other."""
        path = one.photograph
        if self._seen is None or self._seen[0] != path:
            try:
                limit = largest_photograph(self._side, self.world)
                shown = FRAMING * self.image_size / self._side
                made = read_content(path, limit) if one.content else read_photograph(path, self.margin, limit, shown)
                self._seen = path, made
            except DataError as error:
                self._seen = path, str(error)
        found = self._seen[1]
        if isinstance(found, str):
            raise DataError(found)
        return found

    def _made(self, capture: Capture, photograph: Bytes) -> Bytes:
        if capture.camera is None:
            middle = photograph.shape[0] / 2
            square = Square(middle, middle, FRAMING * photograph.shape[0])
            return cut(Image.fromarray(photograph), square, self._side)
        domain, path = capture.recording.domain, capture.recording.photograph
        if self._scene is None or self._scene[0] != path:
            self._scene = path, photograph_scene(photograph)
        scene, size = self._scene[1], self._side
        first, session, own = (capture.key(self.plan.seed, part) for part in (FIRST, SESSION, PRESENTED))
        if capture.instrument is None:
            frames = bona_fide(scene, domain, capture.camera, size, 1, generator(*session))
        else:
            # The attacks of a pair follow each other and show one first capture.
            if self._shown is None or self._shown[0] != first:
                self._shown = first, first_capture(scene, domain, size, 1, generator(*first))
            frames = attack(
                scene, domain, capture.camera, capture.instrument, size, 1, generator(*own),
                shown=self._shown[1], again=generator(*session),
            )  # fmt: skip
        made: Bytes = frames[0]
        return made


def _found(finder: str, face_margin: float) -> bool:
    """Return whether faces are found; refuse a margin around none."""
    # The default is no choice: runs record it, whatever the finder is.
    if finder == "none" and face_margin != MARGIN:
        raise SettingsError(
            f"--data.face_margin {face_margin:g} has no effect with --data.finder none, which takes the middle of "
            "each photograph; leave it out, or set the finder to lbp."
        )
    return finder == "lbp"
