"""Design: the canvas, checked before anything runs, and the project's own code beside it.

Takes     a folder with `threefold.yaml` and, where the project needs it, a few Python files.
Hands on  Canvas, every finding about it with file and line, its page, its settings, and ProjectCode.
Start in  canvas.py for what can be said, then reading.py for how it is read.
"""
