"""Governance: tell what ran, why it was approved, what it cost and where it came from.

Takes     what the other rooms left in the memory.
Hands on  the report of a project's life, and the way from one prediction back to its data, code and model.
Start in  story.py for what is told, report.py for how it looks, trace.py for the way back.
"""
