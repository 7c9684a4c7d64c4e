"""The template: a small project that runs as it is.

Takes     a project's name.
Hands on  its files: canvas, features, heuristic, and a made-up table.
Start in  example.py; the files that it fills in stand beside it.
"""
