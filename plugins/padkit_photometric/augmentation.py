"""The photometric variation as an augmentation; its torch code is imported with the first batch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, get_type_hints

from padkit.data.augmentation import Augmentation
from padkit.errors import SettingsError, closest
from padkit.settings.ranges import LogFactor, Share, describe, outside
from padkit_photometric.reach import (
    PRESETS,
    BlurPixels,
    CutoutSide,
    NoiseShare,
    Quality,
    Reach,
    Shrinking,
    Stops,
)

if TYPE_CHECKING:
    from torch import Tensor


class PhotometricVariation(Augmentation):
    """Varies what other cameras, rooms and files would: light, colour, sharpness, noise, resolution and compression.

    Gamma, exposure, contrast and colour cast change every image, by amounts drawn evenly within their reach. Blur,
    noise, resampling, JPEG and cut-out also touch the texture that tells an attack, so each changes a `share` of the
    images only. `strength` is a preset of all of them, which single settings replace: `--augmentation.strength none
    --augmentation.gamma 0.5` varies nothing but gamma. Nothing is mirrored or shifted: join `light` for that,
    `photometric+light`. Labels stay. A batch of 48 images of 128 pixels takes about 45 ms (`light`) or 65 ms
    (`strong`) of one CPU thread.

    Args:
        strength: The preset.
        gamma: The exponent of the images in [0, 1] is drawn from e^-gamma to e^gamma.
        exposure: Stops by which an image gets brighter or darker, at most.
        contrast: The factor of contrast, about the image's mean, is drawn from e^-contrast to e^contrast.
        cast: The gain of each colour channel is drawn from e^-cast to e^cast; the three together keep the brightness.
        grey: Share of images that lose their colour.
        blur: Largest standard deviation of the Gaussian blur, in pixels.
        noise: Largest standard deviation of the noise, as a share of the range from black to white.
        resampling: Largest factor by which an image is shrunk before it is enlarged again; 1 for none.
        jpeg: Lowest quality of the JPEG that an image passes through; 100 for none.
        cutout: Longest side of a part that is covered by one colour, as a share of the image's side.
        share: Share of images that blur, noise, resampling, JPEG and cut-out change, each drawn by itself.
    """

    def __init__(
        self,
        *,
        strength: Literal["none", "light", "strong"] = "light",
        gamma: LogFactor | None = None,
        exposure: Stops | None = None,
        contrast: LogFactor | None = None,
        cast: LogFactor | None = None,
        grey: Share | None = None,
        blur: BlurPixels | None = None,
        noise: NoiseShare | None = None,
        resampling: Shrinking | None = None,
        jpeg: Quality | None = None,
        cutout: CutoutSide | None = None,
        share: Share | None = None,
    ) -> None:
        if strength not in PRESETS:
            raise SettingsError(
                f"strength {strength!r} of augmentation 'photometric' is none.{closest(strength, PRESETS)}"
            )
        given = {
            "gamma": gamma, "exposure": exposure, "contrast": contrast, "cast": cast, "grey": grey, "blur": blur,
            "noise": noise, "resampling": resampling, "jpeg": jpeg, "cutout": cutout, "share": share,
        }  # fmt: skip
        chosen = {name: value for name, value in given.items() if value is not None}
        hints = get_type_hints(Reach, include_extras=True)
        for name, value in chosen.items():
            if outside(value, hints[name]):
                known = describe(hints[name])
                raise SettingsError(f"{name} {value} of augmentation 'photometric' is out of range; give {known}.")
        self.reach = replace(PRESETS[strength], **chosen)  # type: ignore[arg-type]

    def vary(self, images: Tensor) -> Tensor:
        """Return the varied batch, float [B, 3, H, W] in [0, 1]."""
        from padkit_photometric.variation import vary_photometrically

        return vary_photometrically(images, self.reach)
