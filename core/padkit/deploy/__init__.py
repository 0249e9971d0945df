"""Using a trained model: the bundle that a run writes, and the predictor that judges photographs with it."""

from __future__ import annotations

BUNDLE = "bundle.json"  # describes the weights beside it
WEIGHTS = "model.safetensors"
ONNX = "model.onnx"
INT8 = "model-int8.onnx"
OPENVINO = "model.xml"  # its weights lie beside it, model.bin
CARD = "README.md"
