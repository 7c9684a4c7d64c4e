"""Importing: the history that a team has in MLflow comes along, files included.

Takes     a database, a folder `mlruns` or the address of a server.
Hands on  the same experiments, runs, logged models, models and versions in this store, under the ids they had.
Start in  history.py, what is read; bringing.py writes it; database.py, folder.py and server.py read the three homes.
"""
