"""Registry: which models exist, why one was approved, and what was released.

Takes     bundles, the run and lineage that made them, the results of the gates.
Hands on  ModelVersion and Release records, read by serving and governance.
Start in  versions.py; evidence.py and approvals.py say why, releases.py binds everything together.
"""
