"""Packaging: a model with all its surroundings, in a format that outlives the code that trained it.

Takes     a TrainedModel, its contract, its fallback and its reference.
Hands on  Bundle: files under their digests, and a Scorer that answers from them with numpy and ONNX Runtime alone.
Start in  bundles.py, then export.py; parity.py proves that the package answers like the model.
"""
