"""Data: from sources to tables that can be trusted.

Takes     the sources named in the canvas, and the project's `clean_<table>` functions.
Hands on  snapshots, profiles, contracts and their violations, clean tables, a sealed test set.
Start in  sources.py, then cleaning.py and knowledge.py: what was known at which moment.
"""
