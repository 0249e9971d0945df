"""Miniature trees in the layouts of SiW, SiW-Mv2, CelebA-Spoof, CASIA-SURF, CeFA, HiFiMask, WMCA and NUAA.

Names, lists and traps are the datasets' own; every video, image and HDF5 file is a real one of a few frames.
"""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import h5py
import numpy as np
from clips import moving_frames, write_clip
from PIL import Image

FRAMES = 4


@functools.cache
def _clip(suffix: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"clip{suffix}")
        write_clip(path, moving_frames(FRAMES))
        return path.read_bytes()


def video(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_clip(path.suffix))
    return path


def still(path: Path, size: tuple[int, int] = (32, 40), value: int = 90, mode: str = "RGB") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value if mode == "L" else (value, 60, 30)).save(path)
    return path


def text(path: Path, *lines: str, end: str = "\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(line + end for line in lines).encode())
    return path


def litter(root: Path) -> None:
    """Leave what people and their systems leave; no reader may mind."""
    text(root / "Thumbs.db", "x")
    text(root / "readme.txt", "001-1-1-1-1.mov")
    text(root / "._001.mov", "x")
    text(root / "__MACOSX" / "001.mov", "x")


def write_siw(root: Path) -> Path:
    for name in (
        "Train/live/003/003-1-1-1-1.mov",
        "Train/live/003/003-2-1-2-2.mov",
        "Train/spoof/003/003-1-2-2-1.mov",
        "Train/spoof/003/003-1-3-1-1.mov",
        "Train/spoof/003/003-1-3-4-2.mov",
        "Test/live/001/001-1-1-1-1.mov",
        "Test/spoof/001/001-1-2-1-1.mov",
        "Test/spoof/001/001-2-3-4-1.mov",
    ):
        video(root / name)
    text(root / "Train/live/003/003-1-1-1-1.face", "10 20 60 90", "0 0 0 0", "12 21 62 91", "30 40 30 40")
    litter(root)
    return root


SIW_MV2 = {
    "Live": ("Live_1", "Live_2", "Live_541"),
    "Spoof/Makeup_Cosmetic": ("Makeup_Co_5",),
    "Spoof/Makeup_Impersonation": ("Makeup_Im_1",),
    "Spoof/Makeup_Obfuscation": ("Makeup_Ob_8",),
    "Spoof/Mannequin": ("Mask_Mann_26",),
    "Spoof/Mask_HalfMask": ("Mask_Half_1", "Mask_Half_2"),
    "Spoof/Mask_PaperMask": ("Mask_Paper_2",),
    "Spoof/Mask_TransparentMask": ("Mask_Trans_24",),
    "Spoof/Paper": ("Paper_1", "Paper_4"),
    "Spoof/Partial_Eye": ("Partial_Eye_4",),
    "Spoof/Partial_FunnyeyeGlasses": ("Partial_Funnyeye_2",),
    "Spoof/Partial_Mouth": ("Partial_Mouth_6",),
    "Spoof/Partial_PaperGlasses": ("Partial_Paperglass_1",),
    "Spoof/Replay": ("Replay_9", "Replay_12"),
    "Spoof/Silicone": ("Mask_Silicone_1",),
}


def write_siw_mv2(root: Path, lists: str | None = "pro_3_text") -> Path:
    for folder, stems in SIW_MV2.items():
        for stem in stems:
            video(root / folder / f"{stem}.mov")
    litter(root)
    if lists is not None:
        # A name is repeated to balance the classes; Live_892 is listed by the owners and in no release.
        text(root / lists / "trainlist_live.txt", "Live_1", "Live_892")
        text(root / lists / "testlist_live.txt", "Live_2")
        text(root / lists / "trainlist_all.txt", *["Paper_4", "Mask_Half_2", "Makeup_Im_1"] * 2, "Mask_Silicone_18")
        text(root / lists / "testlist_all.txt", "Paper_1", "Mask_Half_1", "Replay_9")
    return root


def celeba_row(kind: int, light: int, place: int, spoof: int) -> list[int]:
    """Return the 44 numbers of an image: 40 attributes that look like codes, then the four that are."""
    return [*[1, 0] * 20, kind, light, place, spoof]


CELEBA = {
    "train": {
        # Lists mix the folders' order and say .png where the disk has .jpg, and the reverse.
        "Data/train/3995/live/158330.png": celeba_row(0, 0, 0, 0),
        "Data/train/1/spoof/314287.jpg": celeba_row(1, 1, 1, 1),
        "Data/train/3995/spoof/158340.jpg": celeba_row(10, 4, 2, 1),
        "Data/train/1/live/072342.jpg": celeba_row(0, 0, 0, 0),
    },
    "test": {
        "Data/test/6964/spoof/494405.png": celeba_row(8, 3, 1, 1),
        "Data/test/9596/live/494406.png": celeba_row(0, 0, 0, 0),
    },
}
CELEBA_SUFFIXES = {"158330": ".jpg", "158340": ".png"}


def write_celeba_spoof(root: Path, lists: Mapping[str, Mapping[str, object]] = CELEBA) -> Path:
    for split, rows in lists.items():
        labels = root / "metas" / "intra_test" / f"{split}_label.json"
        text(labels, json.dumps(rows))
        for listed in rows:
            path = root / listed
            image = still(path.with_suffix(CELEBA_SUFFIXES.get(path.stem, path.suffix)), size=(448, 336))
            text(image.with_name(f"{path.stem}_BB.txt"), "28 56 112 140 0.9987654")
    text(root / "Data/train/1/live/072342_BB.txt")
    text(root / "Data/train/1/spoof/314287_BB.txt", "100 100 2 90 0.31")
    still(root / "Data/train_2/77/live/000001.jpg")
    litter(root)
    return root


def write_casia_surf(root: Path) -> Path:
    recordings = (
        "real_part/CLKJ_AS0005/real.rssdk",
        "fake_part/CLKJ_AS0005/04_en_b.rssdk",
        "fake_part/CLKJ_AS0005/06_enm_b.rssdk",
        "real_part/CLKJ_BS0019/real.rssdk",
        "fake_part/CLKJ_BS0019/01_e_s.rssdk",
    )
    for recording in recordings:
        for channel in ("color", "depth", "ir"):
            for number in (31, 101):
                still(root / "phase1/Training" / recording / channel / f"{number}.jpg")
    for base, folder, count in (("phase1", "Val", 3), ("phase2/test", "Testing", 2)):
        for number in range(count):
            for channel in ("color", "depth", "ir"):
                still(root / base / folder / "0000" / f"{number:06d}-{channel}.jpg")
    text(
        root / "phase1/val_private_list.txt",
        "Val/0000/000000-color.jpg Val/0000/000000-depth.jpg Val/0000/000000-ir.jpg 0",
        "Val/0000/000001-color.jpg Val/0000/000001-ir.jpg Val/0000/000001-depth.jpg 1",
        "Val/0000/000002-ir.jpg Val/0000/000002-color.jpg Val/0000/000002-depth.jpg 0",
        end="\r\n",
    )
    text(root / "phase1/val_public_list.txt", "Val/0000/000000-color.jpg Val/0000/000000-depth.jpg Val/..-ir.jpg")
    text(
        root / "phase2/test/test_private_list.txt",
        "Testing/0000/000000-color.jpg Testing/0000/000000-ir.jpg Testing/0000/000000-depth.jpg 1",
        "Testing/0000/000001-color.jpg Testing/0000/000001-ir.jpg Testing/0000/000001-depth.jpg 0",
    )
    litter(root)
    return root


def _three_channels(place: Path, colour: str = "profile") -> None:
    for channel in (colour, "depth", "ir"):
        for number in (1, 2, 10):
            still(place / channel / f"{number:04d}.jpg")


def write_cefa_release(root: Path) -> Path:
    """Write some of the full release: ethnicities and masks."""
    for place in (
        "AF/AF-000-198006250024/1_000_1_1_1",
        "AF/AF-000-198006250024/1_000_3_2_2",
        "AF/AF-200-199001010013/1_200_3_1_4",
        "CA/CA-300-199001010013/2_300_4_3_3",
        "3D-Mask/073/1_073_1_0_2_1_1",
        "Silicone-Mask/001/2_001_1_1_2_1_3",
    ):
        _three_channels(root / place)
    litter(root)
    return root


def write_cefa_challenge(root: Path) -> Path:
    """Write some of the challenge: phase1 with its lists, phase2 with the test folders."""
    for place in ("phase1/train/1_000_1_1_1", "phase1/train/1_001_3_1_4", "phase1/train/2_005_1_1_1"):
        _three_channels(root / place)
    for place in ("phase1/dev/003000", "phase1/dev/003001", "phase2/test/000001", "phase2/test/000002"):
        _three_channels(root / place)
    frames = [f"train/1_000_1_1_1/profile/{n:04d}.jpg 1" for n in (1, 2, 10)]
    frames += [f"train/1_001_3_1_4/profile/{n:04d}.jpg 0" for n in (1, 2)]
    text(root / "phase1/4@1_train.txt", *frames)
    text(root / "phase1/4@1_dev_res.txt", "dev/003000", "dev/003001")
    text(root / "phase1/4@1_dev_ref.txt", "dev/003000 1", "dev/003001 0")
    text(root / "phase2/4@1_test_ref.txt", "test/000001 0", "test/000002 1", end="\r\n")
    text(root / "phase1/4@2_train.txt", "train/2_005_1_1_1/profile/0001.jpg 1")
    text(root / "phase1/4@2_dev_ref.txt", "dev/003001 0")
    text(root / "phase2/4@2_test_ref.txt", "test/000002 1")
    litter(root)
    return root


HIFIMASK = ("1_05_0_1_3_1", "1_05_1_1_0_2", "2_66_2_4_6_8", "3_63_3_6_4_0")


def write_hifimask(root: Path, lists: bool = True) -> Path:
    for name in HIFIMASK:
        for number in (1, 2, 10):
            still(root / "Data" / name / f"{number:04d}.png")
    if lists:
        parts = {"train": HIFIMASK[:2], "dev": HIFIMASK[2:3], "test": HIFIMASK[3:]}
        for split, names in parts.items():
            rows = [f"CASIA_HiFiMask/Data/{name} {int(name[5] != '0')}" for name in names]
            text(root / "protocol" / f"CASIA_HiFiMask@p1_video_{split}.txt", *rows)
            frames = [row.replace(" ", f"/{number:04d}.png ") for row in reversed(rows) for number in (1, 2)]
            text(root / "protocol" / f"CASIA_HiFiMask@p1_image_{split}.txt", *frames)
            text(root / "protocol" / f"CASIA_HiFiMask@p2.1_image_{split}.txt", *frames)
    litter(root)
    return root


WMCA = {
    "01.02.18/005_01_000_0_01": "train",
    "12.02.18/100_03_015_2_10": "train",
    "12.02.18/018_02_000_3_09": "dev",
    "12.02.18/018_02_000_3_10": "dev",
    "31.01.18/514_01_035_1_05": "eval",
    "31.01.18/035_01_000_0_00": "eval",
    "31.01.18/530_03_001_2_18": "eval",
    "31.01.18/019_01_000_4_01": "eval",
}


def wmca_file(path: Path, frames: Iterable[int] = (0, 2, 10)) -> Path:
    """Write groups `Frame_<n>`; red of frame n is n, green counts rows, blue counts columns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    down, across = np.mgrid[0:128, 0:128]
    with h5py.File(path, "w") as file:
        for number in frames:
            array = np.stack([np.full((128, 128), number), down, across]).astype(np.uint8)
            file.create_dataset(f"Frame_{number}/array", data=array)
    return path


def write_wmca(root: Path, lists: bool = True) -> Path:
    for name in WMCA:
        wmca_file(root / "preprocessed-face-station_RGB" / f"{name}.hdf5")
        wmca_file(root / "preprocessed-face-station_CDIT" / f"{name}.hdf5")
    text(root / "documentation" / "bonafide_illustration_files.csv", "01.02.18/005_01_000_0_01.hdf5")
    if lists:
        # Copies differ in the order of their columns; the first has an index and Idiap's paths.
        rows = [
            f"{n},{int(name[9:12])},face-station/{name},{part},{'attack' if '_0_0' not in name[-5:] else 'bonafide'}"
            for n, (name, part) in enumerate(WMCA.items())
        ]
        folder = root / "wmca-protocols-csv"
        text(folder / "PROTOCOL-grandtest.csv", ",client_id,path,group,label", *rows)
        unseen = {name: part for name, part in WMCA.items() if "_1_05" not in name or part == "eval"}
        rows = [f"{name}.hdf5,0,x,{part}" for name, part in unseen.items()]
        text(folder / "PROTOCOL-LOO_glasses.csv", "file,type,note,set", *rows)
    litter(root)
    return root


NUAA = {
    "client_train": ("0001/0001_00_00_01_0", "0002/0002_01_00_02_17"),
    "imposter_train": ("0001/0001_00_00_01_0", "0003/0003_00_04_02_499"),
    "client_test": ("0001/0001_00_05_03_7",),
    "imposter_test": ("0001/0001_01_08_03_3", "0015/0015_00_02_03_44"),
}
NUAA_FORMS = {
    "raw": ("ClientRaw", "ImposterRaw", "_raw", ".jpg"),
    "NormalizedFace": ("ClientNormalized", "ImposterNormalized", "_normalized", ".bmp"),
}


def write_nuaa(root: Path) -> Path:
    """Write the raw images and the 64x64 grey faces, each form in its folder below root."""
    for form, (client, imposter, ending, suffix) in NUAA_FORMS.items():
        for name, images in NUAA.items():
            for image in images:
                path = root / form / (client if name.startswith("client") else imposter) / f"{image}{suffix}"
                still(path, **({"size": (64, 64), "mode": "L"} if suffix == ".bmp" else {"size": (640, 480)}))
            # The lists of the grey faces say .jpg too in some copies.
            lines = [f"{image}.jpg".replace("/", "\\") for image in images]
            text(root / form / f"{name}{ending}.txt", *lines, end="\r\n")
        still(root / form / client / "0009" / "0009_00_00_01_5.jpg")
        litter(root / form)
    return root
