"""Features: from clean tables to what a model sees, each value as it was known at its moment.

Takes     clean tables, rows to predict, and the project's feature views.
Hands on  training sets, and the same columns for online requests: one definition for both.
Start in  views.py, then building.py; leaks.py and blind.py refuse what knows the future.
"""
