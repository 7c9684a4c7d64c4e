"""Pipeline: run a graph of steps, each only when something it depends on changed.

Takes     steps (plain functions or command lines), the project's folder, the store.
Hands on  runs with their executions and artifacts; for each step the sentence why it ran or was reused.
Start in  step.py, what a step is; engine.py, plan and run; fingerprint.py, what a step depends on.
"""
