"""Who a simulated person is (`Identity`) and what the person does in the frames of one clip (`Motion`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from padkit_synthetic.imaging import Floats, between, linear_from_hex, linear_from_srgb

ATTRIBUTES = ("dark_hair", "fair_hair", "glasses", "beard", "smile", "young")

# Ten tones spread over the natural range of human skin (the published values of the Monk Skin Tone scale).
SKIN_TONES = ("f6ede4", "f3e7db", "f7ead0", "eadaba", "d7bd96", "a07e56", "825c43", "604134", "3a312a", "292420")
DARK_HAIR = ("0c0a09", "17110d", "241811", "33231a")
BROWN_HAIR = ("4f3322", "6a4a31", "7a3f22")
FAIR_HAIR = ("b08d57", "cfae76", "e0c896", "a9794a")
GREY_HAIR = ("8d8b88", "c9c7c3", "6f6d6b")
IRISES = ("2b1a10", "4a2f1b", "6b4a2a", "5d7040", "5c86a8", "7f8f96")
FRAMES = ("101010", "2a1a10", "6b1f1f", "9a9a9a", "24364f")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceShape:
    """Geometry of a face; lengths in units of half the side of a tight crop, y downwards, x to the right.

    Attributes:
        head_width, head_height, depth: Semi-axes of the head.
        jaw: Narrowing of the lower face, 0 (square) to 0.5 (pointed).
        cheek, chin, brow_ridge: Heights of the bumps.
        eye_spread: Distance of an eye from the middle, share of the head's width.
        eye_y, eye_width, eye_height, eye_slant, iris_radius: The eyes.
        brow_gap, brow_arch, brow_weight, brow_length: Eyebrows: distance above the eye, arch, thickness, half length.
        nose_width, nose_y, nose_height, nose_bridge: Nose: half width, y of the tip, projection, width of the bridge.
        mouth_y, mouth_width, lip_upper, lip_lower: Mouth.
        hairline, hair_arch, hair_part, hair_volume: Hair: y of the hairline at the parting, its arch, x of the parting,
            thickness beyond the skull.
        frame_round: Shape of the glasses, 0 round to 1 rectangular.
        oiliness, blotches: Strength of the skin's specular reflection and of its texture.
    """

    head_width: float
    head_height: float
    depth: float
    jaw: float
    cheek: float
    chin: float
    brow_ridge: float
    eye_spread: float
    eye_y: float
    eye_width: float
    eye_height: float
    eye_slant: float
    iris_radius: float
    brow_gap: float
    brow_arch: float
    brow_weight: float
    brow_length: float
    nose_width: float
    nose_y: float
    nose_height: float
    nose_bridge: float
    mouth_y: float
    mouth_width: float
    lip_upper: float
    lip_lower: float
    hairline: float
    hair_arch: float
    hair_part: float
    hair_volume: float
    frame_round: float
    oiliness: float
    blotches: float

    @property
    def eye_x(self) -> float:
        """Distance of an eye's centre from the middle of the face."""
        return self.head_width * self.eye_spread


SHAPE_RANGES: dict[str, tuple[float, float]] = {
    "head_width": (0.56, 0.74),
    "head_height": (0.82, 0.96),
    "depth": (0.62, 0.78),
    "jaw": (0.08, 0.40),
    "cheek": (0.0, 0.075),
    "chin": (0.01, 0.09),
    "brow_ridge": (0.0, 0.06),
    "eye_spread": (0.38, 0.50),
    "eye_y": (-0.16, -0.02),
    "eye_width": (0.10, 0.155),
    "eye_height": (0.035, 0.068),
    "eye_slant": (-0.22, 0.16),
    "iris_radius": (0.046, 0.058),
    "brow_gap": (0.10, 0.18),
    "brow_arch": (0.0, 0.07),
    "brow_weight": (0.012, 0.036),
    "brow_length": (0.13, 0.19),
    "nose_width": (0.075, 0.15),
    "nose_y": (0.18, 0.33),
    "nose_height": (0.13, 0.27),
    "nose_bridge": (0.35, 0.6),
    "mouth_y": (0.46, 0.57),
    "mouth_width": (0.17, 0.28),
    "lip_upper": (0.018, 0.055),
    "lip_lower": (0.03, 0.075),
    "hairline": (-0.70, -0.42),
    "hair_arch": (-0.25, 0.35),
    "hair_part": (-0.4, 0.4),
    "hair_volume": (0.03, 0.17),
    "frame_round": (0.0, 1.0),
    "oiliness": (0.015, 0.07),
    "blotches": (0.03, 0.12),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A person.

    Attributes:
        shape: Geometry of the face.
        skin, lips, iris, hair, clothing, frame: Linear RGB albedos [3].
        hair_group: `dark`, `brown`, `fair` or `grey`.
        hair_length: y where the hair at the sides ends.
        bald: The crown carries no hair.
        glasses, beard, young: Attributes.
        texture_seed: Seed of skin and hair texture.
    """

    shape: FaceShape
    skin: Floats
    lips: Floats
    iris: Floats
    hair: Floats
    clothing: Floats
    frame: Floats
    hair_group: str
    hair_length: float
    bald: bool
    glasses: bool
    beard: bool
    young: bool
    texture_seed: int

    def attributes(self, smile: bool) -> tuple[str, ...]:
        """Return the names of the attributes that hold, in the order of `ATTRIBUTES`."""
        holds = {
            "dark_hair": self.hair_group == "dark" and not self.bald,
            "fair_hair": self.hair_group == "fair" and not self.bald,
            "glasses": self.glasses,
            "beard": self.beard,
            "smile": smile,
            "young": self.young,
        }
        return tuple(name for name in ATTRIBUTES if holds[name])


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """What a person does in the frames of a clip: each field is float32 [T, 1, 1]; angles in radians.

    Attributes:
        yaw, pitch, roll: Head pose.
        shift_x, shift_y, scale: Place and size of the head in the crop.
        smile, mouth_open, blink: Expression, each in [0, 1].
        gaze_x, gaze_y: Offset of the irises in units of the iris radius.
    """

    yaw: Floats
    pitch: Floats
    roll: Floats
    shift_x: Floats
    shift_y: Floats
    scale: Floats
    smile: Floats
    mouth_open: Floats
    blink: Floats
    gaze_x: Floats
    gaze_y: Floats


def _skin(rng: np.random.Generator) -> tuple[float, Floats]:
    """Return how dark the skin is in [0, 1], and its albedo."""
    place = between(rng, (0.0, len(SKIN_TONES) - 1.001))
    low = int(place)
    tones = [linear_from_hex(code) for code in SKIN_TONES[low : low + 2]]
    tone = tones[0] ** (1 - (place - low)) * tones[1] ** (place - low)
    redness = between(rng, (-0.07, 0.1))
    albedo = 0.85 * tone * np.array([1 + redness, 1 - 0.5 * redness, 1 - 0.4 * redness]) + 0.012
    return place / (len(SKIN_TONES) - 1), np.asarray(albedo, np.float32)


def _hair(rng: np.random.Generator, young: bool, darkness: float) -> tuple[str, Floats]:
    """Return the group and the albedo of the hair; fair hair is rarer with dark skin, grey hair with youth."""
    shares = np.array([0.34, 0.14, 0.50 * (1 - 0.75 * darkness), 0.02 if young else 0.32])
    group = ("dark", "brown", "fair", "grey")[int(rng.choice(4, p=shares / shares.sum()))]
    palette = {"dark": DARK_HAIR, "brown": BROWN_HAIR, "fair": FAIR_HAIR, "grey": GREY_HAIR}[group]
    colour = linear_from_hex(_one_of(palette, rng))
    return group, np.asarray(colour * rng.uniform(0.88, 1.12, 3), np.float32)


def _one_of(palette: tuple[str, ...], rng: np.random.Generator) -> str:
    return palette[int(rng.integers(len(palette)))]


def draw_identity(rng: np.random.Generator) -> Identity:
    """Return a random person: strongly varied geometry and colour, so that identities can be told apart."""
    young = bool(rng.random() < 0.55)
    beard = bool(rng.random() < 0.32)
    darkness, skin = _skin(rng)
    hair_group, hair = _hair(rng, young, darkness)
    long_hair = bool(rng.random() < (0.12 if beard else 0.5))
    lips = [between(rng, bounds) for bounds in ((0.75, 1.05), (0.38, 0.62), (0.42, 0.68))]
    return Identity(
        shape=FaceShape(**{name: between(rng, bounds) for name, bounds in SHAPE_RANGES.items()}),
        skin=skin,
        lips=np.asarray(skin * np.array(lips), np.float32),
        iris=linear_from_hex(_one_of(IRISES, rng)) * 1.3,
        hair=hair,
        clothing=linear_from_srgb(rng.integers(15, 225, (1, 1, 3), np.uint8))[:, 0, 0],
        frame=linear_from_hex(_one_of(FRAMES, rng)),
        hair_group=hair_group,
        hair_length=between(rng, (0.5, 1.4) if long_hair else (-0.25, 0.05)),
        bald=bool(rng.random() < (0.03 if young else 0.14)) and not long_hair,
        glasses=bool(rng.random() < 0.35),
        beard=beard,
        young=young,
        texture_seed=int(rng.integers(2**31)),
    )


def draw_motion(rng: np.random.Generator, frames: int, smile: bool, restless: float = 1.0) -> Motion:
    """Return the motion of one clip: one pose per presentation with small changes from frame to frame.

    Args:
        rng: Source of randomness.
        frames: Number of frames T.
        smile: The person smiles throughout.
        restless: Scale of pose and movement; 1 is a person who looks into the camera.
    """

    def track(middle: float, spread: float, jitter: float) -> Floats:
        base = middle + spread * float(np.clip(rng.standard_normal(), -2, 2))
        drift = jitter * np.clip(rng.standard_normal(frames), -2, 2)
        return np.asarray(base + drift, np.float32).reshape(-1, 1, 1)

    opened = between(rng, (0.15, 0.9)) if smile else between(rng, (-0.4, 0.35))
    blink = np.where(rng.random(frames) < 0.04, 0.95, rng.uniform(0, 0.2, frames))
    return Motion(
        yaw=restless * track(0, 0.11, 0.03),
        pitch=restless * track(0, 0.07, 0.02),
        roll=restless * track(0, 0.05, 0.015),
        shift_x=restless * track(0, 0.035, 0.012),
        shift_y=restless * track(0.02, 0.035, 0.012),
        scale=track(1.0, 0.035, 0.006),
        smile=np.clip(track(0.85, 0.1, 0.04) if smile else track(0.04, 0.05, 0.02), 0, 1),
        mouth_open=np.clip(track(opened, 0.0, 0.06), 0, 1),
        blink=np.asarray(blink, np.float32).reshape(-1, 1, 1),
        gaze_x=track(0, 0.2, 0.06),
        gaze_y=track(0, 0.1, 0.04),
    )
