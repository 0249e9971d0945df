from __future__ import annotations

import pickle
import subprocess
import sys
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

import padkit_synthetic
from padkit.data.presentation import ATTACK, BONA_FIDE, SPLITS, Presentation
from padkit.errors import DataError, SettingsError
from padkit_synthetic.people.identity import ATTRIBUTES
from padkit_synthetic.reader import FacesReader, SyntheticReader
from padkit_synthetic.world import DOMAINS, LISTED, SIZES


@pytest.fixture(scope="module")
def reader() -> SyntheticReader:
    return SyntheticReader(size="tiny", image_size=64)


@pytest.fixture(scope="module")
def records(reader) -> list[Presentation]:
    return list(reader.records())


@pytest.fixture(scope="module")
def portraits() -> FacesReader:
    return FacesReader(identities=6, images=3, test_share=0.34)


def one_of_each_kind(records: list[Presentation]) -> list[Presentation]:
    chosen = list({(record.domain, record.species): record for record in records}.values())
    assert len(chosen) == sum(1 + len(domain.instruments) for domain in DOMAINS)
    return chosen


def clip(reader, record) -> np.ndarray:
    return np.stack(list(reader.frames(record)))


def test_the_hook_offers_its_datasets_by_their_lazy_address():
    specs = padkit_synthetic.padkit_datasets()
    assert [spec.name for spec in specs] == ["synthetic", "faces", "photographs"]
    assert [spec.factory for spec in specs] == [
        "padkit_synthetic.reader:SyntheticReader",
        "padkit_synthetic.reader:FacesReader",
        "padkit_synthetic.photographs.reader:PhotographsReader",
    ]


def test_rendering_and_listing_import_no_torch():
    code = (
        "import sys, padkit_synthetic, padkit_synthetic.photographs.simulate, padkit_synthetic.reader as r;"
        "w = r.SyntheticReader(size='tiny', image_size=64); list(w.frames(next(iter(w.records()))));"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=600)


def test_listing_the_plugin_imports_not_even_numpy():
    code = "import sys, padkit_synthetic; padkit_synthetic.padkit_datasets(); assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=600)


@pytest.mark.parametrize("size", SIZES)
def test_counts_follow_from_the_size(size):
    records = list(SyntheticReader(size=size).records())
    counts = SIZES[size]
    subjects = {domain.name: sum(getattr(counts, split) for split in domain.splits) for domain in DOMAINS}
    assert subjects["office"] > subjects["unknown"] == counts.test
    clips = {domain.name: counts.clips + len(domain.instruments) * counts.attacks(domain) for domain in DOMAINS}
    assert len(records) == sum(subjects[name] * clips[name] for name in subjects)
    assert len({record.id for record in records}) == len(records)
    frames = len(records) * counts.frames
    bounds = {"tiny": (100, 400), "small": (2500, 4000), "default": (8000, 12_000), "large": (100_000, 150_000)}[size]
    assert bounds[0] <= frames <= bounds[1]


def test_subjects_appear_in_one_split_and_one_domain(records):
    places = {}
    for record in records:
        places.setdefault(record.subject, set()).add((record.domain, record.split))
    assert len(places) == 4 * 6 + 2
    assert all(len(found) == 1 for found in places.values())
    assert Counter(split for found in places.values() for _, split in found) == {"train": 8, "dev": 8, "test": 10}


def test_every_domain_and_split_has_bona_fide_and_every_species(records):
    for domain in DOMAINS:
        assert domain.splits == (("test",) if domain.name == "unknown" else SPLITS)
        assert {record.split for record in records if record.domain == domain.name} == set(domain.splits)
        for split in domain.splits:
            here = [record for record in records if (record.domain, record.split) == (domain.name, split)]
            assert {record.species for record in here if record.label == ATTACK} == {
                instrument.species for instrument in domain.instruments
            }
            types = {"mask"} if domain.name == "unknown" else {"print", "replay"}
            assert {record.attack_type for record in here if record.label == ATTACK} == types
            assert any(record.label == BONA_FIDE for record in here)


def test_species_belong_to_one_domain():
    species = [instrument.species for domain in DOMAINS for instrument in domain.instruments]
    assert len(species) == len(set(species)) == 16


def test_fields_of_a_record(records):
    assert records
    for record in records:
        assert record.dataset == "synthetic"
        assert record.subject.startswith(f"{record.domain}-s")
        assert record.device.startswith(record.domain)
        assert record.path == ""
        assert set(record.attributes) <= set(ATTRIBUTES)
        assert (record.species == "") == (record.attack_type == "") == (record.label == BONA_FIDE)


def test_frames_are_square_uint8_of_the_size_asked_for(reader, records):
    for record in one_of_each_kind(records):
        frames = clip(reader, record)
        assert frames.shape == (2, 64, 64, 3)
        assert frames.dtype == np.uint8
        assert frames.std() > 10


@pytest.mark.parametrize("size", [64, 80, 128, 176, 256])
def test_image_sizes(size):
    reader = SyntheticReader(size="tiny", image_size=size)
    chosen = [r for r in reader.records() if r.subject == "webcam-s000" and r.id.endswith("-00")]
    assert len(chosen) == 4
    for record in chosen:
        assert clip(reader, record).shape == (2, size, size, 3)


def test_the_frames_of_a_clip_differ(reader, records):
    for record in one_of_each_kind(records):
        first, second = clip(reader, record).astype(np.int16)
        assert 0.3 < np.abs(first - second).mean() < 40, record.id


def test_frames_depend_on_id_and_settings_alone(records):
    chosen = one_of_each_kind(records)
    forwards = SyntheticReader(size="tiny", image_size=64)
    backwards = pickle.loads(pickle.dumps(SyntheticReader(size="tiny", image_size=64)))
    there = {record.id: clip(forwards, record).tobytes() for record in chosen}
    back = {record.id: clip(backwards, record).tobytes() for record in reversed(chosen)}
    assert there == back
    assert len(set(there.values())) == len(there)


def test_another_process_renders_the_same_bytes(reader, records):
    record = next(r for r in records if r.attack_type == "replay")
    code = (
        "import sys; from padkit_synthetic.reader import SyntheticReader;"
        "r = SyntheticReader(size='tiny', image_size=64);"
        f"p = next(p for p in r.records() if p.id == {record.id!r});"
        "sys.stdout.buffer.write(b''.join(f.tobytes() for f in r.frames(p)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, timeout=300, stdout=subprocess.PIPE)
    assert done.stdout == clip(reader, record).tobytes()


def test_a_larger_world_keeps_the_faces_of_a_seed():
    tiny, small = SyntheticReader(size="tiny", image_size=64), SyntheticReader(size="small", image_size=64)
    record = next(iter(tiny.records()))
    assert clip(tiny, record).tobytes() == clip(small, record).tobytes()


def test_another_seed_is_another_population(reader, records):
    other = SyntheticReader(size="tiny", image_size=64, seed=1)
    assert clip(reader, records[0]).tobytes() != clip(other, records[0]).tobytes()
    assert other.fingerprint() != reader.fingerprint()
    assert f"world {LISTED}" in reader.fingerprint()


def test_the_domains_look_different(reader, records):
    means = {
        domain.name: np.mean(
            [clip(reader, r).mean(axis=(0, 1, 2)) for r in records if r.domain == domain.name and r.label == BONA_FIDE],
            axis=0,
        )
        for domain in DOMAINS
    }
    distances = [np.abs(first - second).max() for first, second in pairwise(means.values())]
    assert len(distances) == 4
    assert min(distances) > 1


@pytest.mark.parametrize(
    ("settings", "word"),
    [({"size": "smal"}, "small"), ({"image_size": 100}, "multiple of 16"), ({"seed": -1}, "negative")],
)
def test_impossible_settings_are_one_clear_line(settings, word):
    with pytest.raises(SettingsError, match=word) as caught:
        SyntheticReader(**settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["office-s000-live-99", "office-s900-live-00", "attic-s000-live-00", "x", "office-s-live-"]
)
def test_a_presentation_of_another_world_is_refused(reader, name):
    record = Presentation(dataset="synthetic", domain="office", id=name, label=BONA_FIDE)
    with pytest.raises(DataError, match="not part of the simulated world"):
        list(reader.frames(record))


def test_portraits_have_disjoint_identities(portraits):
    records = list(portraits.records())
    assert len(records) == 18
    assert len({record.id for record in records}) == 18
    split_of = {}
    for record in records:
        assert record.label == BONA_FIDE
        split_of.setdefault(record.subject, set()).add(record.split)
    assert sorted(split_of.values(), key=str) == [{"test"}] * 2 + [{"train"}] * 4
    assert portraits.attribute_names == ATTRIBUTES


def test_portraits_are_reproducible_and_no_two_alike(portraits):
    records = list(portraits.records())
    once = [clip(portraits, record) for record in records]
    again = [clip(pickle.loads(pickle.dumps(portraits)), record) for record in reversed(records)][::-1]
    assert all(frames.shape == (1, 64, 64, 3) for frames in once)
    assert [frames.tobytes() for frames in once] == [frames.tobytes() for frames in again]
    assert len({frames.tobytes() for frames in once}) == 18


def test_attributes_vary_and_identity_attributes_stay():
    records = list(FacesReader(identities=80, images=4).records())
    counts = Counter(name for record in records for name in record.attributes)
    assert set(counts) == set(ATTRIBUTES)
    for name, count in counts.items():
        assert 0.12 < count / len(records) < 0.75, name
    for subject in {record.subject for record in records}:
        sets = {frozenset(r.attributes) - {"smile"} for r in records if r.subject == subject}
        assert len(sets) == 1
    assert not any({"dark_hair", "fair_hair"} <= set(record.attributes) for record in records)


@pytest.mark.parametrize(
    "settings", [{"identities": 1}, {"images": 0}, {"test_share": 1.0}, {"image_size": 65}, {"seed": -2}]
)
def test_impossible_portraits_are_refused(settings):
    with pytest.raises(SettingsError):
        FacesReader(**settings)


def test_a_foreign_portrait_is_refused(portraits):
    record = Presentation(dataset="faces", domain="studio", id="face-s00099-000", label=BONA_FIDE)
    with pytest.raises(DataError, match="not part of dataset 'faces'"):
        list(portraits.frames(record))


def test_room_shows_more_around_the_same_faces(reader, records):
    wider = SyntheticReader(size="tiny", image_size=reader.image_size, room=0.1)
    assert wider.fingerprint() == f"{reader.fingerprint()}, room 0.1"
    beyond = -(-reader.image_size // 10)
    alike = []
    for record in one_of_each_kind(records)[:6]:
        whole, crop = clip(wider, record)[0], clip(reader, record)[0]
        assert whole.shape == (reader.image_size + 2 * beyond,) * 2 + (3,)
        inside = slice(beyond, beyond + reader.image_size)
        pair = [np.asarray(Image.fromarray(one).convert("L").resize((16, 16)), float) for one in (whole, crop)]
        within = np.asarray(Image.fromarray(whole[inside, inside]).convert("L").resize((16, 16)), float)
        alike.append(
            (np.corrcoef(within.ravel(), pair[1].ravel())[0, 1], np.corrcoef(pair[0].ravel(), pair[1].ravel())[0, 1])
        )
    middle, whole = np.mean(alike, axis=0)
    assert middle > 0.85, "the crop is in the middle"
    assert middle > whole + 0.1, "around it more is seen"
