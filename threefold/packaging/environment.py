"""Where a model was built: the interpreter and every installed distribution."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import distributions

from threefold.records import to_json


def environment() -> bytes:
    """The environment of this process as canonical JSON: python, implementation, platform, distributions."""
    found = {str(one.metadata["Name"]).lower(): one.version for one in distributions()}
    return to_json(
        {
            "version": 1,
            "python": platform.python_version(),
            "implementation": sys.implementation.name,
            "platform": f"{sys.platform}-{platform.machine()}",
            "distributions": found,
        }
    )
