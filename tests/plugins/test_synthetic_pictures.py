from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from padkit.errors import SettingsError
from padkit_synthetic.pictures import draw_species, examples, main
from padkit_synthetic.reader import SyntheticReader
from padkit_synthetic.spectra import excess, line_strength, spectrum
from padkit_synthetic.world import DOMAINS, domains_of


def wave(side: int, cycles: int) -> np.ndarray:
    """Return a grey wave uint8 [side, side, 3] of `cycles` over the width, on a little noise."""
    phase = 2 * np.pi * cycles * np.arange(side) / side
    grey = 128 + 20 * np.cos(phase)[None, :] + np.random.default_rng(0).normal(0, 3, (side, side))
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def test_the_spectrum_has_its_line_where_the_wave_is():
    levels = spectrum(wave(64, 16))
    row, column = np.unravel_index(levels.argmax(), levels.shape)
    assert (row, abs(column - 32)) == (32, 16)


def test_a_line_stands_out_and_noise_does_not():
    noise = np.random.default_rng(1).integers(100, 150, (64, 64, 3)).astype(np.uint8)
    assert line_strength(wave(64, 16)) > line_strength(noise) + 10
    assert line_strength(wave(64, 4)) < line_strength(wave(64, 16)) - 10  # coarse structure is the face's own


def test_excess_is_zero_for_a_spectrum_that_depends_on_frequency_alone():
    axis = np.fft.fftshift(np.fft.fftfreq(32)) * 32
    rings = np.round(np.hypot(axis[:, None], axis[None, :]))
    assert np.abs(excess(-3.0 * rings)).max() < 1e-9


def test_every_family_of_world_4_is_shown():
    (office, *_) = domains_of(4)
    kinds = examples(SyntheticReader(size="tiny", image_size=64, world=4), people=1)
    assert {species for domain, species in kinds if domain == "office"} - {""} == {
        i.species for i in office.instruments
    }
    assert draw_species(kinds, 4).height == 64 * len(kinds) == 64 * (4 * 8 + 3)


def test_the_sheet_shows_every_species_of_every_domain():
    kinds = examples(SyntheticReader(size="tiny", image_size=64), people=2)
    assert list(kinds) == [
        (domain.name, species) for domain in DOMAINS for species in ("", *(i.species for i in domain.instruments))
    ]
    assert all(len(frames) == 2 for frames in kinds.values())
    sheet = np.asarray(draw_species(kinds))
    assert sheet.shape[0] == 64 * len(kinds)
    assert (sheet[: 64 * len(kinds) : 64, 150:278] < 250).any(axis=(1, 2)).all()


@pytest.mark.parametrize("words", [[], ["--world", "4"]])
def test_the_page_names_the_data_simulated_and_shows_its_pictures(tmp_path, monkeypatch, words):
    monkeypatch.setattr("padkit_synthetic.pictures.PEOPLE", 2)
    monkeypatch.setattr("padkit_synthetic.pictures.PORTRAITS", 2)
    monkeypatch.setattr("padkit_synthetic.pictures.PICTURES", 2)
    assert main(["--out", str(tmp_path / "w"), "--image-size", "64", *words]) == 0
    page = (tmp_path / "w" / "index.html").read_text()
    assert f"simulated world, version {words[-1] if words else 3}<" in page
    assert "Everything here is simulated" in page
    for name in ("faces.jpg", "species.jpg", "spectra.png"):
        assert name in page
        with Image.open(tmp_path / "w" / name) as picture:
            assert picture.width > 100


def test_an_impossible_size_is_one_line(tmp_path):
    with pytest.raises(SettingsError, match=r"--image-size: expected int in \[64, 256\], a multiple of 16, got '100'"):
        main(["--out", str(tmp_path), "--image-size", "100"])
