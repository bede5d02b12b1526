"""What a figure was measured on."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from emotemporal import __version__

_LIBRARIES = ("numpy", "opencv-python", "onnxruntime", "openvino", "torch", "decord", "torchcodec")


@dataclass(frozen=True)
class Machine:
    """Processor, cores and versions."""

    processor: str
    num_cores: int
    """That this process may use."""
    load: float
    """Processes that wanted to run in the minute before, this one not yet among them; NaN where the
    system does not tell. Above a fraction of the cores, trust ratios and bests alone."""
    system: str
    threads: str
    """OMP_NUM_THREADS, if set."""
    versions: dict[str, str]

    def __str__(self) -> str:
        versions = ", ".join(f"{name} {text}" for name, text in self.versions.items())
        threads = f", OMP_NUM_THREADS {self.threads}" if self.threads else ""
        return (
            f"{self.processor}, {self.num_cores} cores, load {self.load:.1f}{threads}; "
            f"{self.system}; {versions}"
        )


def this_machine() -> Machine:
    """Describe the machine that this runs on."""
    versions = {"emotemporal": __version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return Machine(
        _processor(),
        len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1,
        float("nan") if sys.platform == "win32" else os.getloadavg()[0],
        platform.system(),
        os.environ.get("OMP_NUM_THREADS", ""),
        versions,
    )


def _processor() -> str:
    about = Path("/proc/cpuinfo")
    if about.is_file():
        lines = about.read_text().split("\n\n")[0].splitlines()
        parts = [line.partition(":") for line in lines]
        facts = {name.strip(): value.strip() for name, _, value in parts}
        if "model name" in facts:
            family = f"family {facts.get('cpu family', '?')} model {facts.get('model', '?')}"
            return f"{facts['model name']} ({family})"
    return platform.processor() or platform.machine()
