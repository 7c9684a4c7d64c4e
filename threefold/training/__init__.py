"""Training: turn a training set into a model, and say how good it is.

Takes     a frame with features and `_target`, and what the canvas says about training.
Hands on  a TrainedModel with its CandidateReport, a baseline as a Lookup, metrics by name.
Start in  fitting.py, then task.py; candidates/ and metrics/ hold one method or subject per file.
"""
