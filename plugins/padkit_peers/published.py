"""What the authors of published models say of their inputs and outputs."""

from __future__ import annotations

from padkit.deploy.peer import Peer, View


def silent_face() -> Peer:
    """Silent-Face-Anti-Spoofing of minivision: softmax of two networks, averaged; class 1 of 3 is a real face.

    The first file is `2.7_80x80_MiniFASNetV2`, the second `4_0_0_80x80_MiniFASNetV1SE`, exported to ONNX. The authors
    publish PyTorch weights; exports differ in whether softmax is in the graph, so that the values decide.
    """
    scales = {2.7: "2.7_80x80_MiniFASNetV2", 4.0: "4_0_0_80x80_MiniFASNetV1SE"}
    views = tuple(
        View(
            width=80,
            height=80,
            colour="bgr",
            scale=(scale, scale),
            beyond="inside",
            resize="linear",
            about=f"{name}, {scale:g} x the face box",
        )
        for scale, name in scales.items()
    )
    return Peer(views=views, live=1, source="minivision-ai/Silent-Face-Anti-Spoofing: src/generate_patches.py, test.py")


def anti_spoof_mn3() -> Peer:
    """anti-spoof-mn3 of OpenVINO's model zoo: two probabilities, number 0 is a real person.

    The original ONNX file, which takes normalised RGB; the zoo's converted IR has the normalisation in its graph. The
    authors' demonstration enlarges the box of their finder to 1.1 x 1.05 and cuts it at the picture's edge.
    """
    view = View(
        width=128, height=128, colour="rgb", mean=(151.2405, 119.595, 107.8395), deviation=(63.0105, 56.457, 55.0035),
        scale=(1.1, 1.05), beyond="clip", resize="cubic", about="anti-spoof-mn3.onnx, 1.1 x 1.05 the face box",
    )  # fmt: skip
    return Peer(
        views=(view,), live=0, outputs="probabilities",
        source="openvinotoolkit/open_model_zoo: models/public/anti-spoof-mn3; kprokofi/light-weight-face-anti-spoofing",
    )  # fmt: skip
