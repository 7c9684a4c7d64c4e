"""File formats: one file per format.

Takes     the bytes of a file.
Hands on  a table, or a refusal that names the line.
Start in  registry.py; delimited.py is the longest example.
"""
