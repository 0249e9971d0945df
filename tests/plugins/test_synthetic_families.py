"""World 4: families draw their prints and screens; cameras are drawn for a session; families can be left out."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest

from padkit.errors import SettingsError
from padkit_synthetic import presentations
from padkit_synthetic.drawn.instruments import FAMILIES, MASKS, PRINTS, SCREENS, left_out
from padkit_synthetic.imaging import generator
from padkit_synthetic.presentations import Scene, attack, bona_fide, first_capture
from padkit_synthetic.reader import SyntheticReader
from padkit_synthetic.staging.displays import Display
from padkit_synthetic.staging.prints import Printer
from padkit_synthetic.world import DOMAINS, DRAWN, LISTED, domains_of

NAMES = {"laser", "inkjet", "photo-lab", "phone", "tablet", "laptop", "monitor"}
PLAIN_SCENE = Scene(lambda side, light, frames, wider: np.full((frames, 3, side, side), 0.3, np.float32))


def test_every_setting_that_trains_has_every_family_and_the_unknown_one_its_masks():
    assert {family.species for family in FAMILIES} == NAMES
    for listed, drawn in zip(DOMAINS, domains_of(DRAWN), strict=True):
        assert (drawn.name, drawn.place, drawn.cameras, drawn.splits) == (
            listed.name,
            listed.place,
            listed.cameras,
            listed.splits,
        )
        assert drawn.drawn
        assert not listed.drawn
        assert drawn.instruments == (MASKS if drawn.name == "unknown" else FAMILIES)
    assert [mask.species for mask in MASKS] == [one.species for one in DOMAINS[-1].instruments]
    assert domains_of(LISTED) is DOMAINS
    with pytest.raises(SettingsError, match="world 5 is unknown"):
        domains_of(5)


@pytest.mark.parametrize("family", [*FAMILIES, *MASKS], ids=lambda family: family.species)
def test_no_two_instruments_of_a_family_are_alike_and_all_are_of_its_kind(family):
    drawn = [family.drawn(128, generator(seed), holes=False) for seed in range(40)]
    assert drawn == [family.drawn(128, generator(seed), holes=False) for seed in range(40)]
    assert len(set(map(repr, drawn))) == 40
    for one in drawn:
        assert (one.species, one.attack_type) == (family.species, family.attack_type)
        assert one.needs_wearer == family.needs_wearer
        fewest, most = family.columns if one.attack_type == "replay" else family.dots
        assert fewest / 128 <= one.pitch[0] == one.pitch[1] <= most / 128
    first, finer = (family.drawn(side, generator(1), holes=False).pitch[0] for side in (64, 256))
    assert first == pytest.approx(4 * finer), "a finer sensor sees the same dots and pixels larger"


@pytest.mark.parametrize("family", PRINTS, ids=lambda family: family.species)
def test_prints_differ_in_paper_form_and_gloss(family):
    drawn = [family.drawn(128, generator(seed), holes=True) for seed in range(200)]
    assert all(isinstance(one, Printer) for one in drawn)
    assert {one.form for one in drawn} == {"flat", "warped", "cut"}
    assert {one.form for one in (family.drawn(128, generator(s), holes=False) for s in range(60))} == {"flat", "warped"}
    papers = np.array([one.paper for one in drawn])
    assert papers.min() > 0.6
    assert papers.max() < 1
    assert papers.mean(axis=1).std() > 0.03
    assert (papers[:, 2] > papers[:, 0]).any(), "bluish"
    assert (papers[:, 2] < papers[:, 0]).any(), "yellowish"
    missed, glare = (np.mean([getattr(one, name) > 0 for one in drawn]) for name in ("blur", "glare"))
    assert 0.05 < missed < 0.3
    assert glare == pytest.approx(0.5, abs=0.15)
    assert family.species != "laser" or 0.05 < np.mean([one.saturation == (0, 0) for one in drawn]) < 0.3


@pytest.mark.parametrize("family", SCREENS, ids=lambda family: family.species)
def test_screens_differ_in_panel_white_brightness_and_focus(family):
    drawn = [family.drawn(128, generator(seed), holes=False) for seed in range(200)]
    assert all(isinstance(one, Display) for one in drawn)
    assert {one.layout for one in drawn} == {"stripe", "diamond"}
    assert all((one.black == 0) == (one.lag == 0) == (one.layout == "diamond") for one in drawn)
    blue = np.array([one.white[2] / one.white[0] for one in drawn])
    assert blue.min() < 0.75
    assert blue.max() > 1.3
    bright = np.log([one.brightness[0] for one in drawn])
    assert np.exp([bright.min(), bright.max()]) == pytest.approx([0.25, 5.0], rel=0.1)
    assert np.mean(bright > np.log(0.25 * 5.0) / 2) == pytest.approx(0.5, abs=0.12)
    resolved = np.mean([one.depth[1] > 0 for one in drawn])
    assert 0.2 < resolved < 0.8, "some show pixels and some do not"
    assert all((one.pitch[0] > 1.25) == (one.depth == (0, 0)) for one in drawn)
    assert all(one.window * one.reflectance[0] <= 0.71 * one.brightness[0] for one in drawn), "the face can be seen"
    assert np.mean([one.window > 0 for one in drawn]) == pytest.approx(0.4, abs=0.12)
    edges = np.array([min(one.border.edges) for one in drawn])
    assert 0.1 < (edges < 1).mean() < 0.9, "some fill the crop and some do not"


def test_a_session_draws_one_camera_for_live_and_attacks_alike(monkeypatch):
    cameras = []

    def draw(base, rng, *, video):
        assert video == (len(cameras) < 10)
        return replace(base, quality=(q := round(50 + 40 * rng.random(), 6), q))

    def watched(scene, side, camera, size, rng):
        cameras.append((camera.name, side, camera.quality, rng.bit_generator.state["state"]["state"]))
        return np.full((scene.shape[0], size, size, 3), 128, np.uint8)

    monkeypatch.setattr(presentations, "draw_camera", draw)
    monkeypatch.setattr(presentations, "capture", watched)
    domain = domains_of(DRAWN)[1]
    camera = domain.cameras[0]
    shown = first_capture(PLAIN_SCENE, domain, 64, 1, generator(1))
    bona_fide(PLAIN_SCENE, domain, camera, 64, 1, generator(2))
    for family in FAMILIES:
        attack(PLAIN_SCENE, domain, camera, family, 64, 1, generator(3), shown=shown, again=generator(2))
    source, first, *others = cameras
    assert source[0].startswith("source-")
    assert source[2] not in {one.quality for one in presentations.SOURCE_CAMERAS}, "attackers' cameras are drawn too"
    assert set(others) == {first}
    bona_fide(PLAIN_SCENE, domain, camera, 64, 1, generator(4))
    assert cameras[-1][2] != first[2]
    bona_fide(PLAIN_SCENE, domains_of(DRAWN, video=False)[1], camera, 64, 1, generator(4))
    assert cameras[-1] == cameras[-2]
    bona_fide(PLAIN_SCENE, DOMAINS[1], camera, 64, 1, generator(2))
    assert cameras[-1][2] == camera.quality, "world 3 draws none"


def test_what_lies_behind_is_the_settings_room_and_drawn_only_if_an_edge_is_in_sight(monkeypatch):
    seen = []
    monkeypatch.setattr(
        presentations, "draw_background", lambda place, *_: seen.append(place) or np.zeros((3, 64, 64), np.float32)
    )
    domain = domains_of(DRAWN)[0]
    near, far = (replace(SCREENS[0], edge=(edge, edge)) for edge in (0.8, 9.0))
    for instrument in (near, far, DOMAINS[0].instruments[0]):
        attack(PLAIN_SCENE, domain, domain.cameras[0], instrument, 64, 1, generator(3))
    assert seen == [domain.place]


def test_only_the_test_split_has_what_is_left_out():
    reader = SyntheticReader(size="tiny", image_size=64, world=4, without="laser+phone")
    found = defaultdict(set)
    for one in reader.records():
        if one.species and one.domain != "unknown":
            found[one.split].add(one.species)
    assert found["test"] == NAMES
    assert found["train"] == found["dev"] == NAMES - {"laser", "phone"}
    whole = list(SyntheticReader(size="tiny", image_size=64, world=4).records())
    assert {one.id for one in reader.records()} < {one.id for one in whole}


def test_both_worlds_show_the_same_people_and_world_4_frames_depend_on_the_id_alone():
    three, four = (SyntheticReader(size="tiny", image_size=64, world=world) for world in (3, 4))
    assert three.fingerprint() == SyntheticReader(size="tiny", image_size=64).fingerprint()
    assert "world 3" in three.fingerprint()
    assert four.fingerprint() == three.fingerprint().replace("world 3", "world 4")
    assert {one.subject for one in three.records()} == {one.subject for one in four.records()}
    chosen = [one for one in four.records() if one.subject in ("phone-s000", "unknown-s000") and one.id.endswith("00")]
    frames = {one.id: np.stack(list(four.frames(one))) for one in chosen}
    assert len(frames) == 1 + len(FAMILIES) + 1 + len(MASKS)
    again = SyntheticReader(size="tiny", image_size=64, world=4)
    for one in reversed(chosen):
        assert frames[one.id].shape == (2, 64, 64, 3)
        assert (frames[one.id] == np.stack(list(again.frames(one)))).all()
        assert (frames[one.id][0] != frames[one.id][1]).any()


@pytest.mark.parametrize(
    ("without", "says"),
    [
        ("lazer", "instrument family 'lazer' is unknown. Did you mean 'laser'"),
        ("paper-mask-matte", "is unknown"),
        ("phone+phone", "names a family twice"),
        ("laser+inkjet+photo-lab", "leaves no print to train on: keep one of laser, inkjet, photo-lab"),
        ("phone+tablet+laptop+monitor", "leaves no replay to train on"),
    ],
)
def test_what_cannot_be_left_out_is_told_in_one_line(without, says):
    with pytest.raises(SettingsError) as caught:
        SyntheticReader(size="tiny", world=4, without=without)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_leaving_out_needs_world_4_and_heeds_the_attacks_that_are_trained_on():
    with pytest.raises(SettingsError, match="no effect in world 3, which has no families: set world to 4"):
        SyntheticReader(size="tiny", without="laser")
    assert left_out("", drawn=False) == ()
    assert left_out("laser+inkjet+photo-lab", drawn=True, attacks=("replay",)) == ("laser", "inkjet", "photo-lab")
