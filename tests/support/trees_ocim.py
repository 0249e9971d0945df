"""Trees with the genuine names of OULU-NPU, CASIA-FASD, Replay-Attack and MSU-MFSD, whole or in miniature.

With `videos` they hold real clips and face annotations for them; without, files of the right name that are empty.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterable
from pathlib import Path

from clips import moving_frames, write_clip

FRAMES = 6
WIDTH, HEIGHT = 96, 128
BOX = (20, 30, 56, 70)  # x, y, width, height in every frame that has one
EYES = (34, 54, 62, 55)  # further left in the image first
MSU_TRAIN = (2, 3, 5, 6, 7, 8, 9, 11, 12, 21, 22, 34, 53, 54, 55)
MSU_TEST = (1, 13, 14, 23, 24, 26, 28, 29, 30, 32, 33, 35, 36, 37, 39, 42, 48, 49, 50, 51)


@functools.cache
def _clip(suffix: str, seed: int) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"clip{suffix}")
        write_clip(path, moving_frames(FRAMES, WIDTH, HEIGHT, seed))
        return path.read_bytes()


def _video(path: Path, videos: bool, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_clip(path.suffix, seed) if videos else b"")


def write_text(path: Path, lines: Iterable[str], end: str = "\n") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(f"{line}{end}" for line in lines).encode())


def litter(root: Path) -> None:
    """Leave what operating systems and people leave; no reader may mind."""
    write_text(root / "Thumbs.db", ["db"])
    write_text(root / "read me.txt", ["1_1_01_1"])
    write_text(root / "._1.avi", ["resource fork"])
    write_text(root / "__MACOSX" / "1.avi", ["resource fork"])


def write_oulu(root: Path, *, videos: bool = True, subjects: Iterable[int] = range(1, 56), lists: bool = True) -> Path:
    """Write `{Train,Dev,Test}_files` and `Protocols`."""
    users = sorted(subjects)
    parts = {"Train": range(1, 21), "Dev": range(21, 36), "Test": range(36, 56)}
    for part, members in parts.items():
        for user in (user for user in users if user in members):
            for phone in range(1, 7):
                for session in (1, 2, 3):
                    for content in range(1, 6):
                        stem = root / f"{part}_files" / f"{phone}_{session}_{user:02d}_{content}"
                        _video(stem.with_suffix(".avi"), videos, seed=content)
                        if videos:
                            rows = [f"{frame},{','.join(map(str, EYES))}" for frame in range(FRAMES)]
                            write_text(stem.with_suffix(".txt"), rows, end="\r\n")
    if lists:
        for part, members in parts.items():
            _oulu_lists(root / "Protocols", part, [user for user in users if user in members])
    litter(root)
    return root


def _oulu_lists(folder: Path, part: str, users: list[int]) -> None:
    test = part == "Test"
    for protocol in (1, 2, 3, 4):
        for fold in range(1, 7) if protocol > 2 else (None,):
            phones = [p for p in range(1, 7) if fold is None or (p == fold) == test]
            sessions = ([3] if test else [1, 2]) if protocol in (1, 4) else [1, 2, 3]
            attacks = ([3, 5] if test else [2, 4]) if protocol in (2, 4) else [2, 3, 4, 5]
            lines = []
            for phone in phones:
                for session in sessions:
                    for user in users:
                        lines.append(f"+1,{phone}_{session}_{user:02d}_1")
                        for content in attacks:
                            code = -2 if test and content > 3 else -1
                            lines.append(f"{code},{phone}_{session}_{user:02d}_{content}")
            name = f"{part}.txt" if fold is None else f"{part}_{fold}.txt"
            write_text(folder / f"Protocol_{protocol}" / name, lines)


def write_casia(root: Path, *, videos: bool = True, subjects: Iterable[int] = range(1, 31)) -> Path:
    """Write `{train,test}_release`; folders above 20 are in the test split only."""
    codes = ["1", "2", "3", "4", "5", "6", "7", "8", "HR_1", "HR_2", "HR_3", "HR_4"]
    for subject in subjects:
        for split in ("train_release", "test_release") if subject <= 20 else ("test_release",):
            for seed, code in enumerate(codes):
                _video(root / split / str(subject) / f"{code}.avi", videos, seed=seed)
    litter(root)
    return root


def write_replay(root: Path, *, videos: bool = True, subjects: Iterable[int] = range(1, 51), prefix: str = "") -> Path:
    """Write `{train,devel,test}`, `face-locations` and what is to be ignored; `prefix` goes before the splits."""
    shown = [("print", "highdef", "photo")]
    shown += [(device, device, medium) for device in ("mobile", "highdef") for medium in ("photo", "video")]
    for client in subjects:
        split = "train" if client <= 15 else "devel" if client <= 30 else "test"
        stems = []
        for light in ("adverse", "controlled"):
            stems += [f"real/client{client:03d}_session01_webcam_authenticate_{light}_{take}" for take in (1, 2)]
            for support in ("fixed", "hand"):
                stems += [
                    f"attack/{support}/attack_{device}_client{client:03d}_session01_{source}_{medium}_{light}"
                    for device, source, medium in shown
                ]
            _video(root / "enroll" / split / f"client{client:03d}_session01_webcam_enroll_{light}_1.mov", False)
        for seed, stem in enumerate(stems):
            _video(root / f"{prefix}{split}" / f"{stem}.mov", videos, seed=seed)
            if videos:
                rows = [f"{frame} {' '.join(map(str, BOX if frame != 2 else (0, 0, 0, 0)))}" for frame in range(FRAMES)]
                write_text(root / "face-locations" / split / f"{stem}.face", rows)
    _video(root / "competition_icb2013" / "test" / "0001.mov", False)
    litter(root)
    return root


def write_msu(root: Path, *, videos: bool = True, subjects: Iterable[int] = MSU_TRAIN + MSU_TEST) -> Path:
    """Write `scene01` with `.face` files that lack a frame, and the two lists with two digits a line."""
    clients = sorted(subjects)
    for client in clients:
        stems = []
        for camera, suffix in (("android", ".mp4"), ("laptop", ".mov")):
            stems.append((f"real/real_client{client:03d}_{camera}_SD_scene01", suffix))
            stems += [
                (f"attack/attack_client{client:03d}_{camera}_SD_{species}_scene01", suffix)
                for species in ("ipad_video", "iphone_video", "printed_photo")
            ]
        for seed, (stem, suffix) in enumerate(stems):
            _video(root / "scene01" / f"{stem}{suffix}", videos, seed=seed)
            if videos:
                x, y, width, height = BOX
                # The person's left eye, which is listed first, is the one further right in the image.
                row = ", ".join(map(str, (x, y, x + width, y + height, *EYES[2:], *EYES[:2])))
                rows = [f"{frame}, {row}" for frame in range(FRAMES) if frame != 3]
                write_text(root / "scene01" / f"{stem}.face", rows)
    for name, members in (("train_sub_list.txt", MSU_TRAIN), ("test_sub_list.txt", MSU_TEST)):
        write_text(root / name, [f"{client:02d}" for client in members if client in clients], end="\r\n")
    litter(root)
    return root
