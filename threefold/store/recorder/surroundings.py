"""Where and how a run runs: code, packages, machine, seeds."""

from __future__ import annotations

import os
import platform
import random
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

GIT_TIMEOUT_S = 10
DIFF = "code/uncommitted.diff"  # where the difference lies among the files of a run
DIFF_BYTES = 4 * 1024 * 1024  # a larger diff is cut: somebody has data under version control


def code_state(folder: Path, *, below: bool = False) -> dict[str, Any]:
    """The commit that a folder stands at, and whether anything differs from it.

    Args:
        below: only what lies in the folder counts; otherwise all of its repository.
    Returns:
        `commit`, `branch`, `dirty`, None outside a repository; and `entry`, the script that runs.
    """
    entry = {"entry": _entry()}
    commit, _, branch = (_git(folder, "rev-parse", "HEAD", "--abbrev-ref", "HEAD") or "").partition("\n")
    if not commit:
        return {"commit": None, "branch": None, "dirty": None, **entry}
    changed = _git(folder, "status", "--porcelain", *_where(below))
    return {"commit": commit, "branch": branch, "dirty": None if changed is None else bool(changed), **entry}


def uncommitted(folder: Path, *, below: bool = False) -> bytes:
    """What differs from the commit, as git writes it; new files are named, but not contained."""
    diff = (_git(folder, "diff", "HEAD", "--no-color", *_where(below)) or "").encode()[:DIFF_BYTES]
    changed = _git(folder, "status", "--porcelain", *_where(below)) or ""
    new = [line[3:] for line in changed.splitlines() if line.startswith("??")]
    if new:
        diff += "".join(f"\n# new file: {name}" for name in new).encode() + b"\n"
    return diff


def packages() -> str:
    """Every installed distribution with its version, as a requirements file would pin them."""
    found = {f"{one.metadata['Name']}=={one.version}" for one in metadata.distributions() if one.metadata["Name"]}
    return "\n".join(sorted(found, key=str.lower)) + "\n"


def machine() -> dict[str, str]:
    """Host, system, processor and interpreter."""
    return {
        "host": platform.node(), "system": platform.platform(), "processors": str(os.cpu_count() or 0),
        "python": platform.python_version(),
    }  # fmt: skip


def machine_tags() -> dict[str, str]:
    """The same as tags of a run."""
    return {f"machine.{name}": value for name, value in machine().items()}


def seed_all(seed: int) -> None:
    """Set the seeds of Python, and of NumPy and PyTorch where the script has loaded them."""
    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed % 2**32)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


def _where(below: bool) -> tuple[str, ...]:
    return ("--", ".") if below else ()


def _entry() -> str:
    return Path(sys.argv[0]).name if sys.argv and sys.argv[0] else "interactive"


def _git(folder: Path, *words: str) -> str | None:
    command = ["git", "-C", str(folder), *words]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=GIT_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.rstrip("\n") if done.returncode == 0 else None
