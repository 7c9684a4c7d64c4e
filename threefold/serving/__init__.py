"""Serving: answer predictions, and never lose one that was answered.

Takes     releases, routed to an endpoint.
Hands on  answers over the Open Inference Protocol; the inference log, read by monitoring and governance.
Start in  routing.py, who answers; app.py, how; log.py, what is kept; rollout.py, when a canary grows.
"""
