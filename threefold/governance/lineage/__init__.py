"""Lineage: what something rests on, and what rests on it.

Takes     a subject, as in "model churn/3", and the tables that the other rooms wrote.
Hands on  Graph: the nodes that are reached from it, upwards or downwards, and how they hang together.
Start in  relations.py, which says what rests on what; walk.py asks for all of it in one query.
"""
