"""Logged models: what a client of MLflow has saved as a folder with an MLmodel, and our bundles as such a folder.

Takes     the files of a version, path -> digest, and the task of the project that judges it.
Hands on  a Bundle like any other.
Start in  mlmodel.py, what the folder says of itself; packing.py, which way it is packed.
"""
