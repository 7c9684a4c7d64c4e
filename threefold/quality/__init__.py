"""Quality: decide whether a model may be released.

Takes     the gates of the canvas, the sealed test rows with the scores of model, baseline and champion, measurements.
Hands on  GateResult records: yes or no, the number, and one sentence saying what would pass.
Start in  acceptance.py, then trial.py; slices.py and rivals.py hold the two kinds of comparison, checks.py the
          project's own checks.
"""
