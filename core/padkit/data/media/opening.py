"""Opens media of any kind: a video, a still, or a folder of stills."""

from __future__ import annotations

from pathlib import Path

from padkit.data.media.formats import VIDEO, kind_of
from padkit.data.media.sources import FrameSource
from padkit.data.media.stills import StillFolder, Stills
from padkit.errors import extra_needed


def open_media(path: str | Path, rotation: int = 0) -> FrameSource:
    """Open a video, a still, or a folder of stills (its frames in natural order).

    Args:
        path: Files that `kind_of` takes for videos are decoded as such, all others as stills.
        rotation: Degrees (0, 90, 180, 270) to rotate every frame clockwise until it is upright.

    Raises:
        DataError: The medium is missing, empty or damaged.
        PluginError: It is a video, and the extra `video` is not installed.
    """
    path = Path(path)
    if path.is_dir():
        return StillFolder(path, rotation)
    if kind_of(path) == VIDEO:
        # Load FFmpeg's libraries only for videos.
        with extra_needed(f"video {path}", "padkit[video]"):
            from padkit.data.media.video import Video
        return Video(path, rotation)
    return Stills([path], rotation)
