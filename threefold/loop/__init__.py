"""The loop: the standard lifecycle as one graph, and what makes it turn again.

Takes     a project: its canvas, its code, its store.
Hands on  runs of the graph, new model versions, releases; retraining when a trigger says so.
Start in  lifecycle.py, the graph; steps.py, what each step does; replay.py lets a past year happen again.
"""
