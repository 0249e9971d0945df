"""Preparation: lossless, resumable, the same by any number of processes, honest about what it skipped."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import datasets
import numpy as np
import pytest

from padkit.data.preparation import prepare as table
from padkit.data.preparation import shards
from padkit.data.preparation.prepare import FrameTable, cache_folder, open_table, prepare
from padkit.data.presentation import Presentation
from padkit.data.reader import DatasetReader
from padkit.errors import DataError

READER = """
import time
import numpy as np
from padkit.data.presentation import Presentation
from padkit.data.reader import DatasetReader

class Slow(DatasetReader):
    image_size = 16
    def __init__(self, count=128, delay=0.0):
        self.count, self.delay = count, delay
    def records(self):
        for number in range(self.count):
            yield Presentation(dataset="slow", domain="d", id=f"p{number}", label=number % 2)
    def frames(self, presentation):
        time.sleep(self.delay)
        generator = np.random.default_rng(int(presentation.id[1:]))
        yield generator.integers(0, 255, (16, 16, 3), dtype=np.uint8)
"""


class Toy(DatasetReader):
    """Three frames of noise for each presentation, some of which are broken."""

    image_size = 16
    attribute_names = ("glasses", "beard")

    def __init__(self, count: int = 70, broken: tuple[int, ...] = (), text: str = "") -> None:
        self.count, self.broken, self.text = count, broken, text
        self.asked = 0

    def records(self):
        for number in range(self.count):
            yield Presentation(
                dataset="toy",
                domain="ab"[number % 2],
                id=f"p{number}",
                label=number // 2 % 2,
                split="train",
                subject=f"s{number}",
                species="" if number // 2 % 2 else "printer1",
                device="cam",
                attributes=("glasses",) if number % 3 else (),
                frames=(5, 7, 9),
            )

    def frames(self, presentation):
        self.asked += 1
        number = int(presentation.id[1:])
        yield noise(number, 0)
        if number in self.broken:
            raise DataError(f"{presentation.id}: the tape is torn.")
        yield noise(number, 1)
        yield noise(number, 2)

    def fingerprint(self):
        return self.text


def noise(number: int, frame: int) -> np.ndarray:
    return np.random.default_rng([number, frame]).integers(0, 255, (16, 16, 3), dtype=np.uint8)


def made(tmp_path: Path, reader: DatasetReader, **options) -> FrameTable:
    return prepare(reader, dataset_name="toy", cache_dir=tmp_path, **{"workers": 1, "progress": False, **options})


def contents(prepared: FrameTable) -> list[bytes]:
    return [file.read_bytes() for file in sorted(prepared.folder.glob("*.arrow"))]


def test_round_trip(tmp_path):
    prepared = made(tmp_path, Toy())
    assert len(prepared) == 210
    for row in (0, 1, 100, 209):
        assert np.array_equal(prepared.image(row), noise(row // 3, row % 3).transpose(2, 0, 1))
    assert prepared.image(0).shape == (3, 16, 16)
    with pytest.raises(IndexError):
        prepared.image(210)
    with pytest.raises(IndexError):
        prepared.image(-1)


def test_columns(tmp_path):
    prepared = made(tmp_path, Toy())
    assert prepared.column("label").dtype == np.int64
    assert prepared.column("label")[:9].tolist() == [0] * 6 + [1] * 3
    assert prepared.column("domain")[:6].tolist() == ["a"] * 3 + ["b"] * 3
    assert prepared.column("frame")[:4].tolist() == [5, 7, 9, 5]
    assert prepared.column("attributes")[[0, 3]].tolist() == [(), ("glasses",)]
    assert prepared.column("subject")[-1] == "s69"
    with pytest.raises(KeyError):
        prepared.column("image")
    assert prepared.column("species").shape == (210,)


def test_it_is_an_ordinary_dataset(tmp_path):
    prepared = made(tmp_path, Toy())
    opened = datasets.load_from_disk(str(prepared.folder))
    row = opened[4]
    assert np.array_equal(np.asarray(row["image"]), noise(1, 1))
    assert opened.features["label"].int2str(row["label"]) == "attack"
    assert opened.cache_files, "the table is not memory-mapped"
    assert opened.filter(lambda domain: domain == "b", input_columns="domain", keep_in_memory=True).num_rows == 105


def test_pickles_by_its_folder(tmp_path):
    prepared = made(tmp_path, Toy())
    prepared.column("label")
    prepared.image(3)
    text = pickle.dumps(prepared)
    assert len(text) < 1000
    assert np.array_equal(pickle.loads(text).image(3), prepared.image(3))


def test_second_time_decodes_nothing(tmp_path):
    made(tmp_path, Toy())
    again = Toy()
    made(tmp_path, again)
    assert again.asked == 0


@pytest.mark.parametrize("other", [Toy(text="new"), Toy(count=69)])
def test_key_follows_records_and_fingerprint(tmp_path, other):
    assert made(tmp_path, Toy()).folder != made(tmp_path, other).folder


def test_content_follows_frames_and_labels_not_where_they_lie(tmp_path):
    class Moved(Toy):
        def records(self):
            return (replace(record, path=str(tmp_path / record.id)) for record in super().records())

    class Relabelled(Toy):
        def records(self):
            return (replace(record, label=1 - record.label, species="") for record in super().records())

    def content(reader):
        return made(tmp_path, reader).preparation["content"]

    first = content(Toy())
    assert len(first) == 64
    assert content(Moved()) == content(Toy(text="new")) == first
    assert len({first, content(Toy(count=69)), content(Relabelled()), content(Toy(broken=(3,), text="torn"))}) == 4


def test_key_follows_image_size_and_reader(tmp_path):
    class Other(Toy):
        image_size = 8

    class Twin(Toy):
        pass

    folders = {made(tmp_path, reader).folder for reader in (Toy(), Other(), Twin())}
    assert len(folders) == 3


def test_key_follows_media_files(tmp_path):
    file = tmp_path / "a.bin"
    file.write_bytes(b"a")

    class Media(Toy):
        def records(self):
            for label in (0, 1):
                yield Presentation(dataset="m", domain="m", id=f"p{label}", label=label, path=str(file))

    first = made(tmp_path, Media()).folder
    assert made(tmp_path, Media()).folder == first
    os.utime(file, (1, 1))
    second = made(tmp_path, Media()).folder
    file.write_bytes(b"ab")
    os.utime(file, (1, 1))
    assert len({first, second, made(tmp_path, Media()).folder}) == 3


def test_resumes_with_the_shards_that_are_finished(tmp_path):
    prepared = made(tmp_path, Toy())
    whole = contents(prepared)
    files = sorted(prepared.folder.glob("*.arrow"))
    assert len(files) == 3
    (prepared.folder / table.FINISHED).unlink()
    files[1].unlink()  # lost
    files[2].write_bytes(files[2].read_bytes()[:100])  # cut short
    again = Toy()
    resumed = made(tmp_path, again)
    assert again.asked == 70 - 32
    assert contents(resumed) == whole


def test_shards_that_were_made_with_another_program_are_made_again(tmp_path):
    class Filmed(Toy):
        program = "one"

        def made_with(self):
            return {"encoder": self.program} if self.program else {}

    prepared = made(tmp_path, first := Filmed())
    assert prepared.preparation["versions"]["encoder"] == "one"
    key = prepared.preparation["key"]
    for program, asked in (("one", 0), ("two", 70), ("", 70)):
        (prepared.folder / table.FINISHED).unlink()
        again = Filmed()
        again.program = program
        resumed = made(tmp_path, again)
        assert again.asked == asked
        assert resumed.preparation["versions"].get("encoder", "") == program
        assert resumed.preparation["key"] == key, "tables stay valid"
    first.asked = 0
    assert len(made(tmp_path, first)) == len(prepared)
    assert first.asked == 0, "a finished table is opened, whatever made it"
    (prepared.folder / table.FINISHED).unlink()
    assert len(made(tmp_path, first)) == len(prepared)
    assert first.asked == 0, "receipts of earlier versions say nothing"


def test_damaged_shard_of_a_finished_table_is_made_again(tmp_path):
    prepared = made(tmp_path, Toy())
    whole = contents(prepared)
    first, *_, last = sorted(prepared.folder.glob("*.arrow"))
    for damage in (b"", last.read_bytes()):  # the second opens without complaint, but holds other rows
        first.write_bytes(damage)
        again = Toy()
        assert contents(made(tmp_path, again)) == whole
        assert again.asked == 32


def test_survives_sigkill_and_leaves_no_process(tmp_path):
    (tmp_path / "slowreader.py").write_text(READER)
    script = (
        "from slowreader import Slow\nfrom padkit.data.preparation.prepare import prepare\n"
        "if __name__ == '__main__':\n"
        "    import sys\n"
        "    prepare(Slow(delay=0.02), dataset_name='slow', cache_dir=sys.argv[1], workers=2, progress=False)\n"
    )
    (tmp_path / "main.py").write_text(script)
    cache = tmp_path / "cache"
    marker = f"PADKIT_TEST_MARK={tmp_path}"
    environment = {**os.environ, "PADKIT_TEST_MARK": str(tmp_path)}
    process = subprocess.Popen([sys.executable, "main.py", str(cache)], cwd=tmp_path, env=environment)
    deadline = time.monotonic() + 300
    while not (receipts := sorted(cache.glob("tables/*/receipts/*.json"))) and time.monotonic() < deadline:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert receipts
    folder = receipts[0].parent.parent
    assert not (folder / table.FINISHED).exists()
    if Path("/proc").is_dir():
        deadline = time.monotonic() + 300
        while (left := alive(marker)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not left, "processes outlived their parent"
    done = {path.name: path.stat().st_mtime_ns for path in sorted(folder.glob("receipts/*.json"))}
    assert 0 < len(done) < 4
    subprocess.run([sys.executable, "main.py", str(cache)], cwd=tmp_path, env=environment, check=True)
    assert {name: (folder / "receipts" / name).stat().st_mtime_ns for name in done} == done
    fresh = tmp_path / "fresh"
    subprocess.run([sys.executable, "main.py", str(fresh)], cwd=tmp_path, env=environment, check=True)
    assert contents(open_table(folder)) == contents(open_table(next(fresh.glob("tables/*"))))
    assert len(open_table(folder)) == 128


def alive(marker: str) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state = (folder / "stat").read_text().rsplit(")", 1)[1].split()[0]
            if state != "Z" and marker.encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(folder.name)
        except OSError:
            continue
    return found


def test_two_preparations_at_once_give_one_whole_table(tmp_path):
    (tmp_path / "slowreader.py").write_text(READER)
    code = (
        "from slowreader import Slow; from padkit.data.preparation.prepare import prepare;"
        "t = prepare(Slow(160, 0.005), dataset_name='x', cache_dir='cache', workers=1, progress=False);"
        "assert len(t) == 160"
    )
    both = [subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    folders = list((tmp_path / "cache" / "tables").iterdir())
    assert len(folders) == 1
    assert len(open_table(folders[0])) == 160
    assert not list(folders[0].rglob(".*")), "temporary files were left behind"


def test_one_or_two_processes_make_the_same_table(tmp_path, monkeypatch):
    (tmp_path / "slowreader.py").write_text(READER)
    monkeypatch.syspath_prepend(str(tmp_path))
    from slowreader import Slow

    one = prepare(Slow(100), dataset_name="x", cache_dir=tmp_path / "1", workers=1, progress=False)
    two = prepare(Slow(100), dataset_name="x", cache_dir=tmp_path / "2", workers=2, progress=False)
    assert len(contents(one)) > 2
    assert contents(one) == contents(two)
    assert one.preparation == two.preparation


@pytest.mark.parametrize(("worth", "pooled"), [(1e9, []), (0.0, [(3, 3)])])
def test_a_pool_starts_only_where_it_is_worth_it(tmp_path, monkeypatch, worth, pooled):
    started = []

    def parallel(reader, jobs, workers):
        started.append((len(jobs), workers))
        return shards._serial(reader, jobs)

    monkeypatch.setattr(shards, "WORTH_A_POOL", worth)
    monkeypatch.setattr(shards, "cores", lambda: 3)
    monkeypatch.setattr(shards, "_parallel", parallel)
    assert len(made(tmp_path, Toy(), workers=None)) == 210
    assert started == [(jobs, min(jobs, workers)) for jobs, workers in pooled]


def test_skips_and_counts_what_cannot_be_read(tmp_path, capsys):
    prepared = made(tmp_path, Toy(broken=(3, 40)), progress=True)
    assert len(prepared) == 204, "half a presentation must not be kept"
    assert [entry["presentation"] for entry in prepared.skipped] == ["p3", "p40"]
    assert prepared.skipped[0]["reason"] == "p3: the tape is torn."
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("skipped:")]
    assert len(lines) == 1
    assert "2 of 70" in lines[0]
    assert "the tape is torn" in lines[0]
    assert not {"p3", "p40"} & set(prepared.column("presentation"))


def test_persons_written_almost_alike_are_told(tmp_path, capsys):
    reader = Toy()
    reader.notes = lambda: ("labels: so.",)
    kept = [dataclasses.replace(r, subject="S1" if r.id == "p0" else r.subject) for r in reader.records()]
    reader.records = lambda: kept
    prepared = made(tmp_path, reader, progress=True)
    assert prepared.notes[0] == "labels: so."
    assert prepared.notes[1].startswith("warning: subjects 'S1' and 's1' count as different")
    assert "toy: warning: subjects 'S1'" in capsys.readouterr().err
    assert made(tmp_path, Toy()).notes == []


def test_strict_names_the_file(tmp_path):
    with pytest.raises(DataError, match="p3: the tape is torn") as error:
        made(tmp_path, Toy(broken=(3, 40)), strict=True)
    assert "\n" not in str(error.value)
    made(tmp_path, Toy(broken=(3, 40)))
    with pytest.raises(DataError, match="2 of 70"):
        made(tmp_path, Toy(broken=(3, 40)), strict=True)


def test_errors_cross_processes(tmp_path):
    folder = tmp_path / "photos"
    for number in range(40):
        for label in ("live", "spoof"):
            (folder / label).mkdir(parents=True, exist_ok=True)
            (folder / label / f"{number}.png").write_bytes(b"")
    from padkit_folder.tree import FolderReader

    reader = FolderReader(root=str(folder), image_size=16)
    with pytest.raises(DataError, match="the file is empty") as error:
        prepare(reader, dataset_name="x", cache_dir=tmp_path, workers=2, strict=True, progress=False)
    assert "\n" not in str(error.value)
    with pytest.raises(DataError, match=r"no readable frame; the first of 80: .*the file is empty"):
        prepare(reader, dataset_name="x", cache_dir=tmp_path, workers=2, progress=False)


def test_empty_and_contradictory_records_are_refused(tmp_path):
    with pytest.raises(DataError, match="'toy' is empty"):
        made(tmp_path, Toy(count=0))

    class Twice(Toy):
        def records(self):
            for label in (0, 1):
                yield Presentation(dataset="t", domain="t", id="same", label=label)

    with pytest.raises(DataError, match="'same' is listed twice"):
        made(tmp_path, Twice())

    class Split(Toy):
        def records(self):
            yield Presentation(dataset="t", domain="t", id="a", label=1, split="training")

    with pytest.raises(DataError, match="split 'training'"):
        made(tmp_path, Split())


def test_unwritable_cache_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="PADKIT_CACHE"):
        made(tmp_path / "file", Toy())


def test_unfinished_folder_is_one_line(tmp_path):
    with pytest.raises(DataError, match="no finished table"):
        open_table(tmp_path)


def test_reader_failures_of_the_disk_are_skipped(tmp_path):
    class Torn(Toy):
        def frames(self, presentation):
            if presentation.id == "p1":
                raise OSError(5, "Input/output error")
            yield noise(0, 0)

    prepared = made(tmp_path, Torn())
    assert len(prepared) == 69
    assert "Input/output error" in prepared.skipped[0]["reason"]


def test_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("PADKIT_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("PADKIT_CACHE")
    assert cache_folder().name == "padkit"


def test_preparation_is_documented(tmp_path):
    prepared = made(tmp_path, Toy(broken=(3,)))
    written = json.loads((prepared.folder / table.FINISHED).read_text())
    assert written == prepared.preparation
    assert written["frames"] == 207
    assert written["presentations"] == 70
    assert written["attribute_names"] == ["glasses", "beard"]
    assert {"padkit", "datasets", "pillow", "python"} <= set(written["versions"])
    assert not list(prepared.folder.glob(".*")), "temporary files were left behind"


def test_workers_import_no_torch():
    code = (
        "import sys, padkit.data.preparation.prepare, padkit.data.protocols.protocol; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert shards.ROWS_IN_MEMORY > 0


def test_few_large_crops_are_held_at_once(tmp_path, monkeypatch):
    whole = made(tmp_path / "a", Toy())
    monkeypatch.setattr(shards, "BYTES_IN_MEMORY", 5 * whole.image(0).nbytes)
    few = made(tmp_path / "b", Toy())
    assert max(len(piece) for piece in few.dataset.data.column("image").chunks) == 5
    assert [few.encoded(row) for row in range(len(few))] == [whole.encoded(row) for row in range(len(whole))]


def test_what_is_asked_before_is_asked_once_and_before_any_frame(tmp_path):
    reader, heard = Toy(count=8), []
    made(tmp_path, reader, before=lambda records: heard.append((len(records), reader.asked)))
    assert heard == [(8, 0)]
    made(tmp_path, reader, before=lambda records: heard.append(records))  # the table is there
    assert heard == [(8, 0)]


def test_an_error_before_leaves_nothing_behind(tmp_path):
    reader = Toy(count=8)

    def refuse(_records):
        raise DataError("no such target")

    with pytest.raises(DataError, match="no such target"):
        made(tmp_path, reader, before=refuse)
    assert reader.asked == 0
    assert not list(tmp_path.iterdir())
