"""Tracking: experiments, and all that is logged to their runs.

Takes     an open transaction or connection of the store, and what a run has to say.
Hands on  rows of runs, parameters, metrics, datasets, logged models and files.
Start in  experiments.py, then metrics.py; every function works inside a transaction of its caller.
"""
