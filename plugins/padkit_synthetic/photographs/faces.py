"""Finds the face in a photograph and cuts the square that a simulated camera looks at."""

from __future__ import annotations

from PIL import Image

from padkit.data.preparation.finders import boxes_with_room, largest, lbp
from padkit.data.preparation.squares import cut, face_box, face_square
from padkit.data.presentation import FaceHint
from padkit.errors import DataError
from padkit_synthetic.imaging import Bytes


def cut_face(picture: Image.Image, *, margin: float, shown: float, limit: int, name: str) -> Bytes:
    """Return the square around the largest face, uint8 RGB [S, S, 3]; beyond the border, edge pixels are repeated.

    Args:
        picture: The photograph, of mode RGB.
        margin: Share of the face's side that a bona fide picture shows beyond it on each side.
        shown: Share of the square's side that a bona fide picture shows, in (0, 1].
        limit: Largest S; larger squares are reduced to it.
        name: The photograph's name in errors.

    Raises:
        DataError: No face is found.
    """
    boxes = boxes_with_room(picture) or [box for face in lbp(picture, None) if (box := face_box(face))]
    if not boxes:
        raise DataError(f"{name}: no face was found.")
    face = largest([FaceHint(box=box) for box in boxes])
    width, height = picture.size
    square = face_square(face, margin=((1 + 2 * margin) / shown - 1) / 2, align=False, width=width, height=height)
    assert square is not None, "a face with a box has a square"
    return cut(picture, square, max(1, min(round(square.side), limit)))
