"""Recorder: what a training script wants remembered, without ever making it wait.

Takes     parameters, metrics, tags, files and output of a running script.
Hands on  the same, in order and once, to a store or to a server; on the way they lie in a spool on the disk.
Start in  run.py, what a script holds; spool.py keeps, shipping.py delivers, taking.py writes into the catalogue.
"""
