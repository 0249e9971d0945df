"""A simulated person (`Identity`) and the person's movement in the frames of one clip (`Motion`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from padkit_synthetic.imaging import Floats, between, floats, linear_from_hex
from padkit_synthetic.people.hairstyles import Hair, draw_hair

ATTRIBUTES = ("dark_hair", "fair_hair", "glasses", "beard", "smile", "young")

# Ten tones spread over the natural range of human skin (the published values of the Monk Skin Tone scale).
SKIN_TONES = ("f6ede4", "f3e7db", "f7ead0", "eadaba", "d7bd96", "a07e56", "825c43", "604134", "3a312a", "292420")
# From dark brown to light blue and grey; the darker the skin, the fewer of the light ones.
IRISES = ("2b1a10", "3d2716", "4a2f1b", "6b4a2a", "5d6a45", "5c7f9c", "7f8f96")
FRAMES = ("0c0c0e", "2a1610", "5e1a1c", "1f2f4d", "b9bcc0", "c8a45c", "e6e2da")
CLOTHES = ("20242c", "3c4656", "5a6b84", "7d8ea0", "ece8e0", "b8ad9c", "6b3a38", "45553f", "8a7a52", "5b4a63", "a5a7a8")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceShape:
    """Geometry of a face; lengths in units of half the side of a tight crop, y downwards, x to the right.

    Attributes:
        head_width, head_height, depth: Semi-axes of the head.
        jaw: Narrowing of the lower face, 0 (square) to 0.5 (pointed).
        jaw_square: Exponent of the outline's lower end, 2 (round) to 4 (broad).
        cheek, cheek_hollow, chin, brow_ridge: Heights of the bumps and depth of the hollow below the cheekbone.
        eye_spread: Distance of an eye from the middle, share of the head's width.
        eye_y, eye_width, eye_height, eye_slant, iris_radius: The eyes; a negative slant raises the outer corner.
        lid_fold: Distance of the upper lid's fold from its edge.
        lashes: Strength of the lash line in [0, 1].
        brow_gap, brow_arch, brow_tilt, brow_weight, brow_length: Eyebrows: distance above the eye, arch, rise of the
            inner end, half thickness, half length.
        nose_width, nose_y, nose_height, nose_bridge: Nose: half width, y of the tip, projection, width of the bridge.
        mouth_drop, mouth_width, lip_upper, lip_lower: Mouth: distance below the nose, half width, lips.
        frame_round, frame_weight: Glasses: 0 round to 1 rectangular, thickness of the rim.
        oiliness, blotches, freckles, stubble: Strength of the skin's specular reflection, blotches, freckles and
            stubble.
        beard_length: How far a beard reaches beyond the jaw.
    """

    head_width: float
    head_height: float
    depth: float
    jaw: float
    jaw_square: float
    cheek: float
    cheek_hollow: float
    chin: float
    brow_ridge: float
    eye_spread: float
    eye_y: float
    eye_width: float
    eye_height: float
    eye_slant: float
    iris_radius: float
    lid_fold: float
    lashes: float
    brow_gap: float
    brow_arch: float
    brow_tilt: float
    brow_weight: float
    brow_length: float
    nose_width: float
    nose_y: float
    nose_height: float
    nose_bridge: float
    mouth_drop: float
    mouth_width: float
    lip_upper: float
    lip_lower: float
    frame_round: float
    frame_weight: float
    oiliness: float
    blotches: float
    freckles: float
    stubble: float
    beard_length: float

    @property
    def eye_x(self) -> float:
        """Distance of an eye's centre from the middle of the face."""
        return self.head_width * self.eye_spread

    @property
    def mouth_y(self) -> float:
        """The y of the line between the lips."""
        return self.nose_y + self.mouth_drop


SHAPE_RANGES: dict[str, tuple[float, float]] = {
    "head_width": (0.55, 0.665),
    "head_height": (0.82, 0.93),
    "depth": (0.62, 0.76),
    "jaw": (0.14, 0.40),
    "jaw_square": (2.1, 3.3),
    "cheek": (0.01, 0.07),
    "cheek_hollow": (0.0, 0.05),
    "chin": (0.02, 0.09),
    "brow_ridge": (0.0, 0.05),
    "eye_spread": (0.41, 0.48),
    "eye_y": (-0.10, 0.01),
    "eye_width": (0.128, 0.162),
    "eye_height": (0.058, 0.088),
    "eye_slant": (-0.20, 0.09),
    "iris_radius": (0.054, 0.064),
    "lid_fold": (0.012, 0.048),
    "lashes": (0.35, 1.0),
    "brow_gap": (0.135, 0.20),
    "brow_arch": (0.02, 0.07),
    "brow_tilt": (0.0, 0.035),
    "brow_weight": (0.013, 0.030),
    "brow_length": (0.135, 0.18),
    "nose_width": (0.10, 0.165),
    "nose_y": (0.24, 0.35),
    "nose_height": (0.14, 0.25),
    "nose_bridge": (0.42, 0.62),
    "mouth_drop": (0.17, 0.235),
    "mouth_width": (0.165, 0.25),
    "lip_upper": (0.022, 0.056),
    "lip_lower": (0.034, 0.078),
    "frame_round": (0.0, 1.0),
    "frame_weight": (0.024, 0.036),
    "oiliness": (0.012, 0.05),
    "blotches": (0.02, 0.06),
    "freckles": (0.0, 1.0),
    "stubble": (0.0, 0.4),
    "beard_length": (0.0, 0.12),
}
# A sturdy build shifts these by this share of their range (Farkas, Anthropometry of the Head and Face).
STURDY: dict[str, float] = {
    "jaw": -0.5,
    "jaw_square": 0.5,
    "brow_ridge": 0.5,
    "brow_weight": 0.5,
    "brow_arch": -0.4,
    "brow_gap": -0.3,
    "nose_width": 0.25,
    "chin": 0.3,
    "lashes": -0.7,
    "lip_upper": -0.3,
    "lip_lower": -0.2,
    "eye_height": -0.25,
    "head_height": 0.2,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A person.

    Attributes:
        shape: Geometry of the face.
        skin, lips, iris, clothing, frame: Linear RGB albedos [3].
        hair: Style and colour of the hair, brows and beard.
        age: 0 (young adult) to 1 (very old).
        glasses, beard, young: Attributes.
        texture_seed: Seed of skin and hair texture.
    """

    shape: FaceShape
    skin: Floats
    lips: Floats
    iris: Floats
    clothing: Floats
    frame: Floats
    hair: Hair
    age: float
    glasses: bool
    beard: bool
    young: bool
    texture_seed: int

    def attributes(self, smile: bool) -> tuple[str, ...]:
        """Return the names of the attributes that hold, in the order of `ATTRIBUTES`."""
        holds = {
            "dark_hair": self.hair.group == "dark" and not self.hair.bald,
            "fair_hair": self.hair.group == "fair" and not self.hair.bald,
            "glasses": self.glasses,
            "beard": self.beard,
            "smile": smile,
            "young": self.young,
        }
        return tuple(name for name in ATTRIBUTES if holds[name])


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """A person's movement in the frames of a clip: each field is float32 [T, 1, 1]; angles in radians.

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
    darkness = place / (len(SKIN_TONES) - 1)
    # Printed swatches of light tones lack the red of blood, and no living skin is as dark as the darkest swatch.
    blood = np.array([0.96, 0.80, 0.70]) + darkness * np.array([0.04, 0.14, 0.16])
    tinted = tone * blood * np.array([1 + redness, 1 - 0.5 * redness, 1 - 0.4 * redness])
    tinted += 0.18 * (tinted[1] - tinted)
    return darkness, floats(0.80 * tinted + np.array([0.045, 0.027, 0.019]))


def _frame(rng: np.random.Generator, skin: Floats) -> Floats:
    """Return the albedo of the glasses' frame, which contrasts with the skin."""
    albedos = [linear_from_hex(code) for code in FRAMES]
    contrast = [abs(float(np.log((albedo[1] + 0.05) / (skin[1] + 0.05)))) for albedo in albedos]
    visible = [albedo for albedo, amount in zip(albedos, contrast, strict=True) if amount > 0.9]
    return visible[int(rng.integers(len(visible)))]


def _shape(rng: np.random.Generator, sturdy: float, age: float, beard: bool) -> FaceShape:
    """Return the geometry of a face; with age lips thin, lids droop, nose and ears grow."""
    places = {name: float(rng.random()) for name in SHAPE_RANGES}
    for name, weight in STURDY.items():
        places[name] = min(max(places[name] + weight * (sturdy - 0.5), 0.0), 1.0)
    values = {name: low + places[name] * (high - low) for name, (low, high) in SHAPE_RANGES.items()}
    for name, change in (("lip_upper", -0.45), ("lip_lower", -0.35), ("eye_height", -0.14), ("nose_width", 0.06)):
        values[name] *= 1 + change * age
    values["freckles"] = max(0.0, values["freckles"] - 0.72) * 3.5
    values["stubble"] *= float(sturdy > 0.5 and not beard)
    return FaceShape(**values)


def draw_identity(rng: np.random.Generator) -> Identity:
    """Return a random person: strongly varied geometry and colour, so that identities can be told apart."""
    young = bool(rng.random() < 0.55)
    age = between(rng, (0.0, 0.12) if young else (0.72, 1.0))
    sturdy = between(rng, (0.0, 0.45)) + 0.55 * float(rng.random() < 0.55)
    beard = bool(rng.random() < 0.58) and sturdy > 0.5
    darkness, skin = _skin(rng)
    hair = draw_hair(rng, young=young, sturdy=sturdy, darkness=darkness)
    lips = [between(rng, bounds) for bounds in ((0.80, 1.0), (0.48, 0.66), (0.50, 0.70))]
    paler = 1 - 0.5 * age
    clothing = linear_from_hex(CLOTHES[int(rng.integers(len(CLOTHES)))]) * rng.uniform(0.7, 1.2, 3)
    return Identity(
        shape=_shape(rng, sturdy, age, beard),
        skin=skin,
        lips=floats(skin * (1 - paler * (1 - np.array(lips)))),
        iris=linear_from_hex(IRISES[int(rng.integers(3 + round(4 * (1 - darkness) ** 1.5)))]) * 1.3,
        clothing=floats(clothing),
        frame=_frame(rng, skin),
        hair=hair,
        age=age,
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
        smile: Whether the person smiles in all frames.
        restless: Scale of pose and movement; 1 is a person who looks into the camera.
    """

    def track(middle: float, spread: float, jitter: float) -> Floats:
        base = middle + spread * min(max(rng.standard_normal(), -2.0), 2.0)
        drift = jitter * rng.standard_normal(frames).clip(-2, 2)
        return np.asarray(base + drift, np.float32).reshape(-1, 1, 1)

    opened = between(rng, (0.4, 1.0)) if smile else between(rng, (-0.5, 0.22))
    blink = np.where(rng.random(frames) < 0.04, 0.95, rng.uniform(0, 0.2, frames))
    return Motion(
        yaw=restless * track(0, 0.11, 0.03),
        pitch=restless * track(0, 0.07, 0.02),
        roll=restless * track(0, 0.05, 0.015),
        shift_x=restless * track(0, 0.035, 0.012),
        shift_y=restless * track(0.02, 0.035, 0.012),
        scale=track(1.0, 0.035, 0.006),
        smile=np.clip(track(0.92, 0.07, 0.03) if smile else track(0.03, 0.04, 0.02), 0, 1),
        mouth_open=np.clip(track(opened, 0.0, 0.06), 0, 1),
        blink=np.asarray(blink, np.float32).reshape(-1, 1, 1),
        gaze_x=track(0, 0.2, 0.06),
        gaze_y=track(0, 0.1, 0.04),
    )
