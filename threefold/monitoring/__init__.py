"""Monitoring: notice when the world has moved away from the training data, and say so once, with a number.

Takes     the inference log with its labels, and the reference that each model version carries.
Hands on  WindowReport and Alert records, read by the triggers of the loop, the command line and the report.
Start in  watch.py; windows.py judges one window, alerts.py decides who is told, detectors/ holds one distance per file.
"""
