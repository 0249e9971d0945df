"""Searches a picture for upright frontal faces by scikit-image's cascade of local binary patterns. Imports no torch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from padkit.data.media.pictures import Frame
from padkit.errors import extra_needed

SMALLEST = 32  # side of the smallest window, pixels
GROWTH = 1.2  # from one size of the window to the next
FEWEST = 4  # windows that must agree on a face
SHARED = 0.5  # share of the smaller of two windows that both cover, above which they show one face
FEW_VALUES = 3 * 160**2  # of a picture, below which starting a thread costs more than it saves
EACH_ALONE = 2.0  # no share is as large, so scikit-image returns the windows themselves


@functools.cache
def cascade() -> Any:
    """Return the cascade, read once per process.

    Raises:
        PluginError: The extra `lbp` is not installed.
    """
    with extra_needed("face finder lbp", "padkit[lbp]"):
        from skimage import data, feature
    return feature.Cascade(data.lbp_frontal_face_cascade_filename())


def face_squares(picture: Frame) -> list[tuple[int, int, int]]:
    """Return left, top and side of each face in pixels: what `Cascade.detect_multi_scale` returns, in half the time.

    Half of its work is the smallest window, which alone moves by single pixels. So a second thread searches with that
    one (the search holds no lock), and the windows of both are grouped together. The work stays the same: a machine
    whose cores are all busy gains nothing.

    Args:
        picture: uint8 RGB [H, W, 3].

    Raises:
        PluginError: The extra `lbp` is not installed.
    """
    longest = min(picture.shape[:2])
    if longest < SMALLEST:
        return []
    search_all = cascade().detect_multi_scale
    from skimage.color import rgb2gray

    search = functools.partial(
        search_all, img=rgb2gray(picture), scale_factor=GROWTH, step_ratio=1, min_neighbor_number=1,
        intersection_score_threshold=EACH_ALONE,
    )  # fmt: skip
    second = SMALLEST * GROWTH
    searches = [functools.partial(search, min_size=(SMALLEST,) * 2, max_size=(min(longest, second - 1),) * 2)]
    if longest > second:
        searches.append(functools.partial(search, min_size=(second,) * 2, max_size=(longest,) * 2))
    if picture.size < FEW_VALUES:
        return grouped(window for one in searches for window in one())
    with ThreadPoolExecutor(len(searches)) as pool:
        return grouped(window for found in pool.map(_called, searches) for window in found)


def _called(search: Callable[[], list[dict[str, int]]]) -> list[dict[str, int]]:
    return search()


def grouped(windows: Iterable[Mapping[str, int]]) -> list[tuple[int, int, int]]:
    """Return left, top and side of each group of at least `FEWEST` windows, the mean of its windows.

    A window joins the group whose mean it shares most with, at least `SHARED`; sums, roundings and order are those of
    scikit-image, so that the faces are the same to the pixel.

    Args:
        windows: Column `c`, row `r` and `width` of each window, in the order of the search: by size, row and column.
    """
    groups: list[list[int]] = []  # number of windows, then the sums of their columns, rows and sides
    for window in windows:
        one = window["c"], window["r"], window["width"]
        chosen, best = None, np.float32(SHARED)
        for group in groups:
            share = _share(one, _mean(group))
            if share > best:
                chosen, best = group, share
        if chosen is None:
            groups.append([1, *one])
        else:
            chosen[:] = [chosen[0] + 1, *(total + value for total, value in zip(chosen[1:], one, strict=True))]
    return [_mean(group) for group in groups if group[0] >= FEWEST]


def _mean(group: list[int]) -> tuple[int, int, int]:
    count, left, top, side = group
    return left // count, top // count, side // count


def _share(one: tuple[int, int, int], other: tuple[int, int, int]) -> Any:
    """Return the share of the smaller square that both cover, in single precision as scikit-image computes it."""
    across = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    down = min(one[1] + one[2], other[1] + other[2]) - max(one[1], other[1])
    if across <= 0 or down <= 0:
        return 0.0
    return np.float32(across * down) / np.float32(min(one[2], other[2]) ** 2)
