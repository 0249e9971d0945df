"""Readers of the simulated world: `SyntheticReader` (presentations in five domains) and `FacesReader` (portraits)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from padkit.data.preparation.options import pixels_beyond
from padkit.data.presentation import ATTACK, BONA_FIDE, Presentation
from padkit.data.reader import DatasetReader
from padkit.errors import DataError, SettingsError, closest
from padkit.settings.ranges import Count, Range, Room, Seed, ShareBelowOne
from padkit_synthetic.camera import capture
from padkit_synthetic.delivery import made_with
from padkit_synthetic.drawn.instruments import left_out
from padkit_synthetic.imaging import Bytes, Floats, between, generator, retain_memory
from padkit_synthetic.people.canvas import eye_places
from padkit_synthetic.people.faces import Light, render
from padkit_synthetic.people.identity import ATTRIBUTES, Identity, draw_identity, draw_motion
from padkit_synthetic.presentations import Scene, attack, bona_fide, chosen_camera
from padkit_synthetic.staging.scenes import Place, draw_background, draw_light
from padkit_synthetic.world import (
    DRAWN,
    LISTED,
    SIZES,
    SOURCE_CAMERAS,
    SOURCES,
    Domain,
    Instrument,
    World,
    domains_of,
)

# First part of every random key, so that the two datasets never draw the same person.
WORLD_STREAM, FACES_STREAM = 101, 202
IDENTITY, CLIP = 1, 2


RenderedSide = Annotated[int, Range(64, 256, multiple=16)]


def check_image_size(image_size: int) -> None:
    """Raise SettingsError unless `image_size` is a multiple of 16 between 64 and 256."""
    if image_size % 16 or not 64 <= image_size <= 256:
        raise SettingsError(
            f"image_size {image_size} cannot be rendered: it must be a multiple of 16 from 64 to 256, for example 128."
        )


def check_seed(seed: int) -> None:
    """Raise SettingsError unless `seed` is 0 or positive."""
    if seed < 0:
        raise SettingsError(f"seed {seed} is negative: choose 0 or a positive whole number.")


@lru_cache(maxsize=8)
def person(*key: int) -> Identity:
    """Return the person that `key` determines; the cache fits reading person by person, each with an attacker."""
    return draw_identity(generator(*key, IDENTITY))


def person_scene(
    person: Identity, place: Place, view: float, restless: float, smile: bool, key: tuple[int, ...]
) -> Scene:
    """Return the scene of `person` before a background of `place`; `key` fixes pose, movement and background."""

    def radiance(side: int, light: Light, frames: int, wider: float) -> Floats:
        rng = generator(*key)
        motion = draw_motion(rng, frames, smile, restless)
        return render(person, motion, light, draw_background(place, light, side, rng), view * wider)

    def eyes(frames: int, wider: float) -> Floats:
        motion = draw_motion(generator(*key), frames, smile, restless)
        return 0.5 + 0.5 / (view * wider) * eye_places(person, motion)

    return Scene(radiance, eyes)


class SyntheticReader(DatasetReader):
    """The simulated capture world: bona fide presentations, print and replay attacks in four domains. No real data.

    A fifth domain, `unknown`, has only a test split, whose attacks (paper masks) no other domain has.

    A presentation's id and the settings determine its frames, whatever was rendered before and in whichever process.

    Args:
        size: How much of the world: `tiny` for tests, `small` for quick comparisons, `default`, `large` (over 100,000
            frames).
        image_size: Side of the frames in pixels.
        seed: Another seed is another population captured anew.
        room: Share of the crop's side drawn beyond it on each side, in which training moves crops. A world with room is
            captured anew: the same people do the same, before a wider background and with other noise.
        world: Version of the world: 3 has listed cameras and instruments, and made all published figures; 4 draws both
            from ranges, anew for each presentation, of the same people.
        without: Families of instruments, joined by `+` (`laser`, `inkjet`, `photo-lab`, `phone`, `tablet`, `laptop`,
            `monitor`), that are left out of train and dev and kept in test. Needs world 4.
        video: Whether some of the cameras of world 4 deliver H.264, for which padkit[video] is needed; without, all
            deliver JPEG.
    """

    default_target: str = "webcam"
    simulated: bool = True
    cropped: bool = True
    draws_room: ClassVar[bool] = True
    attribute_names: tuple[str, ...] = ATTRIBUTES
    # The eyes are 0.246 of the side apart and 0.49 below the top, means over all live faces of size `small`; a face is
    # 2.6 of that distance high, and its middle 0.45 of it below the eyes (padkit.data.preparation.squares).
    framing: tuple[float, float] | None = (0.28, 0.10)

    def __init__(
        self,
        *,
        size: Literal["tiny", "small", "default", "large"] = "default",
        image_size: RenderedSide = 128,
        seed: Seed = 0,
        room: Room = 0.0,
        world: World = LISTED,
        without: str = "",
        video: bool = True,
    ) -> None:
        if size not in SIZES:
            raise SettingsError(f"size {size!r} of dataset 'synthetic' is unknown.{closest(size, SIZES)}")
        check_image_size(image_size)
        check_seed(seed)
        self.size = size
        self.image_size = image_size
        self.seed = seed
        self.room = room
        self.world = world
        self.domains = domains_of(world, video=video)
        self.without = left_out(without, drawn=world == DRAWN)
        self._side = image_size + 2 * pixels_beyond(image_size, room)

    def records(self) -> Iterator[Presentation]:
        """Yield every presentation, by domain, split, subject and kind."""
        for domain in self.domains:
            for subject, split in enumerate(SIZES[self.size].splits(domain)):
                yield from self._of_subject(domain, subject, split)

    def frames(self, presentation: Presentation) -> Iterator[NDArray[np.uint8]]:
        """Yield the frames uint8 [S, S, 3] of one of `records()`; S is `image_size` and the room on both sides.

        Raises:
            DataError: The presentation's id is not one of this world at this size.
        """
        retain_memory()
        place, subject, kind, number = self._place_of(presentation.id)
        domain, instrument = self.domains[place], self._instrument(self.domains[place], kind)
        key = (WORLD_STREAM, self.seed, place, subject, CLIP, kind, number)
        scene = self._scene(place, subject, self._smiles(key), (*key, 1))
        camera, rng, count = chosen_camera(domain.cameras, number), generator(*key, 2), SIZES[self.size].frames
        if instrument is None:
            yield from bona_fide(scene, domain, camera, self._side, count, rng)
            return
        attacker = self._scene(place, self._neighbour(domain, subject), smile=False, key=(*key, 3))
        yield from attack(scene, domain, camera, instrument, self._side, count, rng, attacker)

    def fingerprint(self) -> str:
        """Return the world's version and the settings that frames depend on."""
        world = f"synthetic world {self.world}, size {self.size}, {self.image_size} px, seed {self.seed}"
        compressed = "" if self.domains[0].video or self.world == LISTED else ", without video"
        return world + compressed + (f", room {self.room:g}" if self.room else "")

    def made_with(self) -> Mapping[str, str]:
        """Return the encoder of the cameras that deliver H.264."""
        return made_with(drawn=self.world == DRAWN, video=self.domains[0].video)

    def _scene(self, place: int, subject: int, smile: bool, key: tuple[int, ...]) -> Scene:
        domain, wider = self.domains[place], self._side / self.image_size
        return person_scene(
            self._identity(place, subject), domain.place, domain.view * wider, domain.restless, smile, key
        )

    def _neighbour(self, domain: Domain, subject: int) -> int:
        """Return the next subject of the same split, who wears this one's face: splits stay disjoint."""
        splits = SIZES[self.size].splits(domain)
        others = [number for number, split in enumerate(splits) if split == splits[subject]]
        return others[(others.index(subject) + 1) % len(others)]

    def _identity(self, place: int, subject: int) -> Identity:
        return person(WORLD_STREAM, self.seed, place, subject)

    def _smiles(self, key: tuple[int, ...]) -> bool:
        return bool(generator(*key, 0).random() < 0.35)

    def _instrument(self, domain: Domain, kind: int) -> Instrument | None:
        return None if kind == 0 else domain.instruments[kind - 1]

    def _of_subject(self, domain: Domain, subject: int, split: str) -> Iterator[Presentation]:
        size, place = SIZES[self.size], self.domains.index(domain)
        identity, name = self._identity(place, subject), f"{domain.name}-s{subject:03d}"
        for kind in range(len(domain.instruments) + 1):
            instrument = self._instrument(domain, kind)
            word = instrument.species if instrument else "live"
            if split != "test" and word in self.without:
                continue
            for number in range(size.attacks(domain) if instrument else size.clips):
                smile = self._smiles((WORLD_STREAM, self.seed, place, subject, CLIP, kind, number))
                yield Presentation(
                    dataset="synthetic",
                    domain=domain.name,
                    id=f"{name}-{word}-{number:02d}",
                    label=ATTACK if instrument else BONA_FIDE,
                    split=split,
                    subject=name,
                    attack_type=instrument.attack_type if instrument else "",
                    species=instrument.species if instrument else "",
                    device=chosen_camera(domain.cameras, number).name,
                    session=str(number + 1),
                    attributes=identity.attributes(smile),
                )

    def _place_of(self, name: str) -> tuple[int, int, int, int]:
        """Return (domain, subject, kind, number) of a presentation's id."""
        for place, domain in enumerate(self.domains):
            start = f"{domain.name}-s"
            for kind in range(len(domain.instruments) + 1) if name.startswith(start) else ():
                instrument = self._instrument(domain, kind)
                word = f"-{instrument.species if instrument else 'live'}-"
                subject, found, number = name.removeprefix(start).partition(word)
                limit = SIZES[self.size].attacks(domain) if instrument else SIZES[self.size].clips
                if not (found and subject.isdigit() and number.isdigit()):
                    continue
                if int(subject) < len(SIZES[self.size].splits(domain)) and int(number) < limit:
                    return place, int(subject), kind, int(number)
        raise DataError(
            f"presentation {name!r} is not part of the simulated world at size {self.size!r}: "
            "take presentations from records() of a reader with the same settings."
        )


class FacesReader(DatasetReader):
    """Simulated bona fide portraits with identities and attributes, for pretraining the teachers. No real data.

    None of its persons appears in dataset `synthetic`.

    Args:
        identities: Number of persons.
        images: Portraits per person, each another pose, light, camera and place.
        image_size: Side of the portraits in pixels.
        test_share: Share of the persons that make up split `test`; the others are `train`.
        seed: Another seed is another population.
    """

    simulated: bool = True
    cropped: bool = True
    attribute_names: tuple[str, ...] = ATTRIBUTES

    def __init__(
        self,
        *,
        identities: Annotated[int, Range(2)] = 400,
        images: Count = 20,
        image_size: RenderedSide = 64,
        test_share: ShareBelowOne = 0.15,
        seed: Seed = 0,
    ) -> None:
        if identities < 2 or images < 1:
            raise SettingsError(
                f"{identities} identities with {images} images make no dataset 'faces': "
                "ask for at least 2 identities and 1 image."
            )
        if not 0 <= test_share < 1:
            raise SettingsError(f"test_share {test_share} of dataset 'faces' is no share: choose from 0 to below 1.")
        check_image_size(image_size)
        check_seed(seed)
        self.identities = identities
        self.images = images
        self.image_size = image_size
        self.test_share = test_share
        self.seed = seed

    def records(self) -> Iterator[Presentation]:
        """Yield every portrait, by person."""
        first_test = self.identities - round(self.identities * self.test_share)
        for subject in range(self.identities):
            identity = self._identity(subject)
            for number in range(self.images):
                domain, camera = self._session(subject, number)
                yield Presentation(
                    dataset="faces",
                    domain=domain.name if domain else "studio",
                    id=f"face-s{subject:05d}-{number:03d}",
                    label=BONA_FIDE,
                    split="train" if subject < first_test else "test",
                    subject=f"face-s{subject:05d}",
                    device=camera,
                    session=str(number + 1),
                    attributes=identity.attributes(self._smiles(subject, number)),
                )

    def frames(self, presentation: Presentation) -> Iterator[Bytes]:
        """Yield the one frame uint8 [image_size, image_size, 3] of a portrait.

        Raises:
            DataError: The presentation's id is not one of this dataset.
        """
        subject, number = self._place_of(presentation.id)
        domain, _ = self._session(subject, number)
        rng = generator(FACES_STREAM, self.seed, subject, CLIP, number, 2)
        place = (domain or SOURCES[0]).place
        camera = chosen_camera(domain.cameras if domain else SOURCE_CAMERAS, number)
        view, key = between(rng, (1.0, 1.16)), (FACES_STREAM, self.seed, subject, CLIP, number, 1)
        scene = person_scene(self._identity(subject), place, view, 1.2, self._smiles(subject, number), key)
        light = draw_light(place, rng)
        side = camera.side(self.image_size, rng)
        yield from capture(scene.render(side, light, 1, 1.0), side, camera, self.image_size, rng)

    def fingerprint(self) -> str:
        """Return the world's version and the settings that frames depend on."""
        return f"faces of world {LISTED}, {self.image_size} px, seed {self.seed}"

    def _identity(self, subject: int) -> Identity:
        return person(FACES_STREAM, self.seed, subject)

    def _smiles(self, subject: int, number: int) -> bool:
        return bool(generator(FACES_STREAM, self.seed, subject, CLIP, number, 0).random() < 0.4)

    def _session(self, subject: int, number: int) -> tuple[Domain | None, str]:
        """Return the place (None: a studio with a camera of an attacker) and the camera's name."""
        drawn = int(generator(FACES_STREAM, self.seed, subject, CLIP, number, 3).integers(len(SOURCES) + 2))
        domain = SOURCES[drawn] if drawn < len(SOURCES) else None
        return domain, chosen_camera(domain.cameras if domain else SOURCE_CAMERAS, number).name

    def _place_of(self, name: str) -> tuple[int, int]:
        """Return (person, number) of a portrait's id."""
        parts = name.removeprefix("face-s").split("-")
        if name.startswith("face-s") and len(parts) == 2 and all(part.isdigit() for part in parts):
            subject, number = int(parts[0]), int(parts[1])
            if subject < self.identities and number < self.images:
                return subject, number
        raise DataError(
            f"portrait {name!r} is not part of dataset 'faces' ({self.identities} identities of {self.images} images): "
            "take presentations from records() of a reader with the same settings."
        )
