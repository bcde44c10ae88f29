"""What a figure depends on besides the code: the machine (no host name, no paths), versions, the commit."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

MIB = 1024 * 1024


def describe_machine() -> dict[str, str | int | float]:
    """CPU model, cores that this process may use, memory, operating system, Python."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {
        "cpu": _cpu_model(),
        "architecture": platform.machine(),
        "cores": cores,
        "memory_gib": round(_memory_bytes() / 2**30, 1),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
    }


def package_versions(names: tuple[str, ...]) -> dict[str, str]:
    """The installed version of each package, 'not installed' where there is none."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def git_commit() -> str:
    """The commit of the repository that this file lies in, with '+changes' where files differ from it."""
    folder = Path(__file__).resolve().parent
    commit = _git(folder, "rev-parse", "--short=12", "HEAD")
    if not commit:
        return "unknown"
    return f"{commit}+changes" if _git(folder, "status", "--porcelain", "--untracked-files=no") else commit


def command_line(command: str) -> str:
    """The command as typed, however it was started, every path cut to its last part."""
    words = sys.argv[1:]
    while words and words[0] in ("bench", command):
        words = words[1:]
    shown = (Path(word).name if "/" in word else word for word in words)
    return " ".join(("structgen bench", command, *shown))


def run_header(benchmark: str, packages: tuple[str, ...], *, form: int = 1) -> dict[str, Any]:
    """What the results of every benchmark begin with. ``form``: the number of their format."""
    return {
        "benchmark": benchmark,
        "format": form,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "command": command_line(benchmark),
        "git_commit": git_commit(),
        "machine": describe_machine(),
        "versions": package_versions(packages),
    }


def peak_memory_mib() -> float:
    """The largest resident set of this process so far, in MiB.

    Read from ``/proc`` where there is one: ``getrusage`` counts the parent's memory in a process that
    was started from a large one.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MIB if sys.platform == "darwin" else peak / 1024


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.lower().startswith(("model name", "cpu model")):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0
