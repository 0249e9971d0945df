"""Guides a person through presentations before a camera, and stores what it sees. Imports no torch."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from padkit.errors import DataError
from padkit.files import write_atomically

CAPTURES, DISCARDED = "captures", "discarded"
KEYS = "Enter takes the picture, u takes the last one back, s skips the rest of this kind, q stops"
HOW: Mapping[str, str] = {
    "live": "Look into the camera as a user would. Step away after each picture; vary distance, light and expression.",
    "print": "Hold a printed photograph of a face before the camera. Change print, angle and distance.",
    "phone": "Show a photograph or a video of a face on a phone. Change brightness, angle and distance.",
    "tablet": "Show a photograph or a video of a face on a tablet or a laptop. Change brightness, angle and distance.",
}
OWN_FACE = "Keep your own face out of the picture: a picture with several faces is not judged."


@dataclass(frozen=True, slots=True, kw_only=True)
class GuidedSession:
    """Takes one picture for each presentation; each is stored at once, so that a stopped session goes on.

    Attributes:
        folder: Holds `captures/SPECIES/001.png` and so on, and `discarded/` likewise: what was taken back.
        species: What is presented, in order.
        count: Presentations of each.
        take: Gives a picture of the camera, mode RGB.
        seen: Says in words whether the face in a picture could be judged; not how, or the person would choose.
        ask: Shows a line and returns what was typed, as `input` does.
        tell: Shows a line.
    """

    folder: Path
    species: Sequence[str]
    count: int
    take: Callable[[], Image.Image]
    seen: Callable[[Image.Image], str]
    ask: Callable[[str], str]
    tell: Callable[[str], None]

    def run(self) -> bool:
        """Go through all presentations that are still to be made; return whether none is left.

        Raises:
            PadkitError: The camera gives no picture, or the folder cannot be written.
        """
        self.tell(f"{KEYS}.")
        try:
            for name in self.species:
                if not self._species(name):
                    return False
        except (EOFError, KeyboardInterrupt):
            self.tell("")
            return False
        return all(len(self.stored(name)) >= self.count for name in self.species)

    def stored(self, name: str) -> list[Path]:
        """Return the pictures of a species, in the order they were taken."""
        return sorted((self.folder / CAPTURES / name).glob("*.png"))

    def _species(self, name: str) -> bool:
        """Go through one species; return whether to go on to the next."""
        here = 0
        if len(self.stored(name)) < self.count:
            self.tell(f"\n{name}: {HOW.get(name, f'Present {name} to the camera.')}")
            if name != "live":
                self.tell(OWN_FACE)
        while (done := len(self.stored(name))) < self.count:
            key = self.ask(f"{name} {done + 1} of {self.count}: ").strip().lower()
            if key == "q":
                return False
            if key == "s":
                break
            if key == "u":
                here -= self._take_back(name, here)
            elif key:
                self.tell(f"{key!r}? {KEYS}.")
            else:
                picture = self.take()
                self._store(name, picture)
                here += 1
                self.tell(f"  stored: {self.seen(picture)}")
        return True

    def _store(self, name: str, picture: Image.Image) -> None:
        numbers = [int(path.stem) for path in (*self.stored(name), *self._discarded(name)) if path.stem.isdecimal()]
        content = io.BytesIO()
        picture.save(content, "PNG")
        write_atomically(self.folder / CAPTURES / name / f"{max(numbers, default=0) + 1:03}.png", content.getvalue())

    def _take_back(self, name: str, here: int) -> int:
        """Discard the last picture of this session and species; return how many were."""
        if not here:
            self.tell("  nothing to take back: this session has no picture of this kind.")
            return 0
        last = self.stored(name)[-1]
        target = self.folder / DISCARDED / name / last.name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            last.replace(target)
        except OSError as error:
            cause = error.strerror or error
            raise DataError(f"{target}: cannot be written ({cause}); choose another folder.") from error
        self.tell(f"  {last.name} is taken back; it is kept in {target.parent} and counted.")
        return 1

    def _discarded(self, name: str) -> list[Path]:
        return sorted((self.folder / DISCARDED / name).glob("*.png"))


def discarded(folder: Path) -> dict[str, int]:
    """Return how many pictures of each species were taken back in the sessions of a folder."""
    places = sorted((folder / DISCARDED).glob("*")) if (folder / DISCARDED).is_dir() else []
    return {place.name: len(list(place.glob("*.png"))) for place in places if place.is_dir()}
