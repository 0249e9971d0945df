"""A dataset cropped by options, or by its reader's own: which frames, whose face, and what is counted or refused."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from clips import moving_frames, write_clip
from PIL import Image
from portrait import BOX, EYES, portrait

from padkit.data.media.pictures import read_image, rotate, to_square
from padkit.data.native import NativeReader
from padkit.data.preparation.cropping import Cropper, Tally
from padkit.data.preparation.options import CropOptions
from padkit.data.preparation.prepare import prepare
from padkit.data.preparation.squares import Square, cut
from padkit.data.presentation import FaceHint, Presentation
from padkit.data.reader import DatasetReader
from padkit.errors import DataError, PluginError, SettingsError
from padkit_synthetic.reader import SyntheticReader

RECORD = Presentation(dataset="d", domain="d", id="p", label=1, split="train")


class Toy(NativeReader):
    """Gives the records and hints it is handed."""

    def __init__(self, *records: Presentation, hints=None, image_size: int = 32) -> None:
        super().__init__(root="", image_size=image_size)
        self.listed = records
        self.hinted = hints or {}

    def records(self):
        return self.listed

    def hints(self, presentation, width, height):
        self.sizes = width, height
        return self.hinted


class Memory(DatasetReader):
    """Renders its frames itself."""

    def records(self):
        return [replace(RECORD, id=f"p{number}") for number in range(2)]

    def frames(self, presentation):
        return moving_frames(20, 32, 32)


def clip(path: Path, count: int = 20, width: int = 96, height: int = 128) -> Presentation:
    write_clip(path, moving_frames(count, width, height))
    return replace(RECORD, path=str(path))


def crops(reader: DatasetReader, record: Presentation, **options) -> tuple[dict[int, np.ndarray], Tally]:
    tally = Tally()
    settings = {"face": "hints", "size": 32, "margin": 0.0, **options}
    found = dict(Cropper(reader, CropOptions(**settings)).crops(record, tally))
    return found, tally


def test_frames_are_chosen_hinted_and_cut(tmp_path):
    record = clip(tmp_path / "a.mp4")
    frames = moving_frames(20)
    hints = {6: FaceHint(box=(8, 16, 32, 32)), 12: FaceHint(box=(0, 0, 16, 16))}
    reader = Toy(record, hints=hints)
    found, tally = crops(reader, record)
    assert reader.sizes == (96, 128)
    assert list(found) == [6, 16]
    for number, square in ((6, Square(24, 32, 32)), (16, Square(8, 8, 16))):
        assert np.abs(found[number].astype(int) - cut(Image.fromarray(frames[number]), square, 32)).mean() < 6
    assert tally.counts == {"hint_of_another_frame": 1}
    assert tally.dropped == []


@pytest.mark.parametrize(("mode", "orientation", "rotation"), [("RGB", 1, 0), ("RGBA", 6, 0), ("L", 8, 90)])
def test_whole_stills_are_those_of_a_face_as_large_as_the_frame(tmp_path, mode, orientation, rotation):
    """Nobody looks at them, so they are cut and resized in another way."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(moving_frames(1, 90, 60)[0]).convert(mode).save(tmp_path / "a.png", exif=exif)
    record = replace(RECORD, path=str(tmp_path / "a.png"), rotation=rotation)
    found, tally = crops(Toy(record), record, face="none")
    assert np.array_equal(found[0], to_square(Image.fromarray(rotate(read_image(tmp_path / "a.png"), rotation)), 32))
    assert +tally.counts == {}


def test_a_compressed_table_holds_the_same_pixels(tmp_path):
    tables = {
        compress: prepare(
            Cropper(Memory(), CropOptions(face="none", size=32), compress=compress),
            dataset_name="d", cache_dir=tmp_path, workers=1, progress=False,
        )
        for compress in (False, True)
    }  # fmt: skip
    assert len({table.folder for table in tables.values()}) == 2
    assert len(tables[False]) == 4
    for row in range(4):
        assert np.array_equal(tables[False].image(row), tables[True].image(row))
        assert tables[False].encoded(row).size > 32 * 32 * 3 > tables[True].encoded(row).size


def test_the_records_box_holds_for_all_frames(tmp_path):
    record = replace(clip(tmp_path / "a.mp4"), box=(8.0, 16.0, 32.0, 32.0))
    found, tally = crops(Toy(record), record)
    assert list(found) == [6, 16]
    assert +tally.counts == {}


def test_aligned_where_eyes_are_known(tmp_path):
    Image.fromarray(portrait()).save(tmp_path / "a.png")
    record = replace(RECORD, path=str(tmp_path / "a.png"))
    turned = (75.0, 90.0, 119.0, 114.0)
    straight, _ = crops(Toy(record, hints={0: FaceHint(eyes=EYES)}), record, size=64)
    level, tally = crops(Toy(record, hints={0: FaceHint(eyes=EYES)}), record, size=64, align=True)
    tilted, _ = crops(Toy(record, hints={0: FaceHint(eyes=turned)}), record, size=64, align=True)
    assert np.abs(straight[0].astype(int) - level[0]).mean() < 13 < np.abs(tilted[0].astype(int) - level[0]).mean()
    assert +tally.counts == {}
    _, tally = crops(Toy(record, hints={0: FaceHint(box=BOX)}), record, align=True)
    assert +tally.counts == {"not_aligned": 1}


def test_a_record_turns_its_video(tmp_path):
    write_clip(tmp_path / "a.mp4", [np.ascontiguousarray(portrait()[::-1, ::-1])] * 9)
    record = replace(RECORD, path=str(tmp_path / "a.mp4"))
    with pytest.raises(DataError, match=r"a\.mp4: none of its 2 frames gave a crop \(no face was found\)"):
        crops(Toy(record), record, face="lbp")
    upright = replace(record, rotation=180)
    found, _ = crops(Toy(upright), upright, face="lbp", size=64)
    assert list(found) == [6, 8]
    wanted, _ = crops(Toy(upright, hints={0: FaceHint(box=BOX)}), upright, size=64)
    assert np.corrcoef(found[6].ravel(), wanted[6].ravel())[0, 1] > 0.6


def test_no_face_and_two_faces(tmp_path):
    face, nobody = portrait(), np.full((256, 512, 3), 90, np.uint8)
    both = nobody.copy()
    both[:, :256], both[100:228, 300:428] = face, portrait(0.5)
    write_clip(tmp_path / "a.mp4", [both] * 3 + [nobody] * 3)
    record = replace(RECORD, path=str(tmp_path / "a.mp4"))
    found, tally = crops(Toy(record), record, face="auto", frames="every:2")
    assert list(found) == [0, 2]
    assert +tally.counts == {"several_faces": 2, "no_face": 1}
    assert tally.dropped == [(4, "no face was found")]
    # The larger face is the left one.
    left, _ = crops(Toy(record, hints={0: FaceHint(box=BOX)}), record, frames="first:1")
    assert np.corrcoef(found[0].ravel(), next(iter(left.values())).ravel())[0, 1] > 0.6


def test_a_box_outside_is_refused_and_counted(tmp_path):
    record = clip(tmp_path / "a.mp4")
    hints = {6: FaceHint(box=(96, 0, 20, 20)), 16: FaceHint(box=(80, 100, 60, 60))}
    found, tally = crops(Toy(record, hints=hints), record)
    assert list(found) == [16], "a box that reaches over the edge is padded"
    assert +tally.counts == {"box_refused": 1}
    assert tally.dropped == [(6, "face box '96 0 20 20' lies outside the 96x128 frame")]
    with pytest.raises(DataError, match=r"none of its 2 frames gave a crop \(face box"):
        crops(Toy(record, hints={6: hints[6]}), record)


def test_a_clip_that_decodes_to_fewer_frames_is_sampled_by_these(tmp_path, monkeypatch):
    from padkit.data.media.video import Video

    record = clip(tmp_path / "a.mp4")
    counted = Video.__len__

    def hopeful(self):
        count = counted(self)
        self._packets = self._packets[:10]
        return count

    monkeypatch.setattr(Video, "__len__", hopeful)
    found, tally = crops(Toy(record), record, face="none", frames="every:5")
    assert list(found) == [0, 5]
    assert +tally.counts == {}


def test_stills_of_one_presentation_are_sampled_together(tmp_path):
    records = []
    for number in range(20):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (40, 40), (number, 0, 0)).save(path)
        records += [replace(RECORD, id="clip", path=str(path), frames=(number,))]
    alone = replace(RECORD, id="other", path=str(tmp_path / "alone.png"))
    films = [replace(RECORD, id="films", path=f"{name}.mp4") for name in "abc"]
    reader = Cropper(Toy(alone, *records, *films), CropOptions(face="none"))
    assert [record.path for record in reader.records()] == [
        alone.path, records[6].path, records[16].path, "a.mp4", "b.mp4", "c.mp4"
    ]  # fmt: skip
    assert [number for number, _ in reader.crops(records[16], Tally())] == [16]


def test_readers_that_render_are_sampled_too():
    found, _ = crops(Memory(), RECORD, face="none", frames="every:9")
    assert list(found) == [0, 9, 18]
    assert all(crop.shape == (32, 32, 3) for crop in found.values())


def test_nothing_is_no_crop():
    empty = Memory()
    empty.frames = lambda presentation: []
    with pytest.raises(DataError, match=r"p: no frames\."):
        crops(empty, RECORD, face="none")


def test_hint_files_are_read_only_by_those_who_ask(tmp_path):
    class Broken(Toy):
        def hints(self, presentation, width, height):
            raise DataError("a.face is malformed.")

    record = clip(tmp_path / "a.avi")
    assert list(crops(Broken(record), record, face="none")[0]) == [6, 16]
    for face in ("hints", "auto"):
        with pytest.raises(DataError, match="malformed"):
            crops(Broken(record), record, face=face)


def test_a_cropped_dataset_is_taken_whole_unless_a_finder_is_named():
    class Cropped(Toy):
        cropped = True

    reader = Cropped()
    assert Cropper(reader, CropOptions()).options.face == "none"
    assert Cropper(reader, CropOptions(face="lbp")).options.face == "lbp"
    assert Cropper(Toy(), CropOptions()).options.face == "auto"
    assert Cropper(SyntheticReader(), CropOptions()).options.face == "none"


def test_a_native_reader_prepares_itself_by_the_defaults(tmp_path):
    records = [replace(clip(tmp_path / f"{n}.avi"), id=f"p{n}", box=(10.0, 10.0, 60.0, 60.0)) for n in range(3)]
    (tmp_path / "broken.avi").write_bytes(b"")
    records.append(replace(RECORD, id="broken", path=str(tmp_path / "broken.avi")))
    reader = Toy(*records)
    table = prepare(reader, dataset_name="toy", cache_dir=tmp_path, workers=1, progress=False)
    assert table.column("frame").tolist() == [6, 16] * 3
    assert table.image(0).shape == (3, 32, 32)
    wanted, _ = crops(reader, records[0], face="auto", margin=CropOptions().margin)
    assert np.array_equal(table.image(1).transpose(1, 2, 0), wanted[16])
    assert [entry["presentation"] for entry in table.skipped] == ["broken"]


def test_a_table_of_an_earlier_version_stays_valid():
    """Its key holds names that nothing else has any more."""
    asked = Cropper(Toy(), CropOptions(size=64), compress=True)
    assert asked.owner == "padkit.data.prepared:PreparedReader"
    options = "frames='ssdg', face='auto', face_model='', margin=0.15, align=False, size=64"
    assert asked.fingerprint() == f"{__name__}:Toy||Choices({options})|compress"
    assert (Cropper(Toy()).owner, Cropper(Toy()).fingerprint()) == (f"{__name__}:Toy", "")


def test_a_reader_that_opens_nothing_says_so():
    class Half(DatasetReader):
        def records(self):
            return [RECORD]

    with pytest.raises(PluginError, match="Half opens no presentation such as 'p'; write `frames` or `open_media`"):
        Cropper(Half()).crops(RECORD, Tally())


def test_dropped_frames_are_listed_and_fatal_only_if_strict(tmp_path, capsys):
    record = clip(tmp_path / "a.mp4")
    reader = Toy(record, hints={6: FaceHint(box=(96, 0, 20, 20)), 16: FaceHint(box=(8, 8, 60, 60))})
    table = prepare(reader, dataset_name="toy", cache_dir=tmp_path / "c", workers=1)
    assert table.column("frame").tolist() == [16]
    assert table.preparation["counts"] == {"box_refused": 1}
    reason = "face box '96 0 20 20' lies outside the 96x128 frame"
    assert table.preparation["dropped"] == [{"presentation": "p", "source": record.path, "frame": 6, "reason": reason}]
    assert "left out: toy: 1 frames; the first: " in capsys.readouterr().err
    for cache in ("c", "d"):  # one that is finished, and a new one
        with pytest.raises(DataError, match="lies outside the 96x128 frame"):
            prepare(reader, dataset_name="toy", cache_dir=tmp_path / cache, workers=1, strict=True, progress=False)


def test_a_folder_of_stills_is_prepared_anew_when_a_still_changes(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(3):
        Image.new("RGB", (40, 40), (50 * number, 0, 0)).save(folder / f"{number}.png")
    reader = Cropper(Toy(replace(RECORD, path=str(folder))), CropOptions(face="none", frames="all", size=8))

    def reds() -> list[int]:
        table = prepare(reader, dataset_name="toy", cache_dir=tmp_path, workers=1, progress=False)
        return [int(table.image(row)[0, 0, 0]) for row in range(len(table))]

    assert reds() == [0, 50, 100]
    Image.new("RGB", (40, 40), (200, 100, 77)).save(folder / "1.png")
    assert reds() == [0, 200, 100]


def test_the_fingerprint_follows_every_choice(tmp_path):
    weights = [tmp_path / "a.onnx", tmp_path / "b.onnx"]
    for number, file in enumerate(weights):
        file.write_bytes(bytes([number]))
    changes = [
        {}, {"frames": "all"}, {"face": "lbp"}, {"margin": 0.2}, {"align": True}, {"size": 64},
        {"face": "scrfd", "face_model": str(weights[0])}, {"face": "scrfd", "face_model": str(weights[1])},
    ]  # fmt: skip
    marks = [Cropper(Toy(), CropOptions(**change)).fingerprint() for change in changes]
    assert len(set(marks)) == len(changes)
    moved = weights[0].rename(tmp_path / "moved.onnx")
    assert Cropper(Toy(), CropOptions(face="scrfd", face_model=str(moved))).fingerprint() == marks[6]
    assert Cropper(Memory(), CropOptions()).fingerprint() != marks[0]
    assert pickle.loads(pickle.dumps(Cropper(Toy(RECORD), CropOptions()))).fingerprint() == marks[0]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"frames": "sdg"}, "Did you mean 'ssdg'"),
        ({"face": "mtcnn"}, "mtcnn"),
        ({"margin": -0.1}, "between 0 and 2"),
        ({"margin": float("nan")}, "between 0 and 2"),
        ({"size": 4}, "between 8 and 2048"),
    ],
)
def test_impossible_choices_are_refused(settings, text):
    with pytest.raises(SettingsError, match=text):
        CropOptions(**settings)


def test_preparing_imports_no_torch(tmp_path):
    clip(tmp_path / "own" / "live" / "a.mp4")
    code = f"""
import sys
from padkit.commands.prepare import main
main(["folder", "--root", {str(tmp_path / "own")!r}, "--out", {str(tmp_path / "out")!r}, "--face", "none"])
sys.exit("torch" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=600).returncode == 0


def still(path: Path, width: int = 96, height: int = 128) -> Presentation:
    """A noisy photograph."""
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return replace(RECORD, path=str(path))


@pytest.mark.parametrize(
    ("hint", "options"),
    [
        (FaceHint(box=(30, 40, 33, 31)), {}),
        (FaceHint(box=(30, 40, 33, 31)), {"margin": 0.15}),
        (FaceHint(box=(0, 0, 20, 24)), {"margin": 0.3}),
        (FaceHint(box=(30.5, 40, 60, 60), eyes=(40, 60, 60, 66)), {"align": True}),
    ],
)
def test_room_leaves_the_crop_as_it_is(tmp_path, hint, options):
    record = still(tmp_path / "a.png")
    reader = Toy(record, hints={0: hint})
    (plain,) = crops(reader, record, **options)[0].values()
    (wide,) = crops(reader, record, room=0.1, **options)[0].values()
    assert wide.shape == (40, 40, 3), "0.1 of 32 pixels is 3.2, rounded up"
    assert np.array_equal(wide[4:-4, 4:-4], plain), "the crop within depends on the room"
    if not options.get("align"):
        # The same scale, 1.25 times as large.
        margin = (1 + 2 * options.get("margin", 0)) * 0.625 - 0.5
        around, _ = crops(reader, record, size=40, margin=margin)
        assert np.abs(wide.astype(int) - around[0].astype(int)).max() <= 2, "around it is what the photograph shows"


def test_room_around_the_records_own_box(tmp_path):
    record = replace(still(tmp_path / "a.png"), box=(10.4, 20.6, 31, 45))
    plain = crops(Toy(record), record, face="recorded", size=31)[0][0]
    wide = crops(Toy(record), record, face="recorded", size=31, room=0.1)[0][0]
    assert np.array_equal(wide[4:-4, 4:-4], plain)
    photograph = read_image(record.path)
    assert np.array_equal(wide, photograph[28 - 4 : 28 + 31 + 4, 10 - 4 : 10 + 31 + 4]), "31 pixels stay 31 pixels"


def test_crops_have_no_room_around_them(tmp_path):
    record = still(tmp_path / "a.png")
    with pytest.raises(SettingsError, match=r"room 0\.1: .* nothing around them; leave room out"):
        Cropper(Toy(record), CropOptions(face="none", room=0.1))
    with pytest.raises(DataError, match="is a face crop already, with no room around it"):
        crops(Toy(record), record, face="recorded", room=0.1)


def test_a_reader_draws_the_room_that_is_asked_for():
    reader = SyntheticReader(size="tiny", image_size=64, room=0.1)
    assert Cropper(reader).options.beyond == 7
    with pytest.raises(SettingsError, match=r"room 0: the reader draws its crops with room 0\.1"):
        Cropper(reader, CropOptions(face="none", size=64))


def test_room_is_in_the_key_and_no_room_is_not(tmp_path):
    record = still(tmp_path / "a.png")
    told = [Cropper(Toy(record), CropOptions(room=room)).fingerprint() for room in (0.0, 0.1, 0.2)]
    assert len(set(told)) == 3
    assert "room" not in told[0], "tables of earlier versions stay valid"
    roomy = Toy(record)
    roomy.room = 0.1
    assert Cropper(roomy).fingerprint() != Cropper(Toy(record)).fingerprint()
    assert CropOptions().facts().keys() == CropOptions(room=0.1).facts().keys() - {"room"}
