"""What a measurement was made on."""

import os
import platform
import resource
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ENGINES = ("openvino", "onnxruntime", "torch")


def describe() -> str:
    """Name the processor, its cores, how busy they are, and the Python."""
    info = Path("/proc/cpuinfo")
    names = [
        line.split(":", 1)[1].strip()
        for line in (info.read_text().splitlines() if info.exists() else ())
        if line.startswith("model name")
    ]
    name = names[0] if names else platform.processor() or platform.machine()
    load = os.getloadavg()[0]
    return (
        f"{name}, {os.cpu_count()} cores, load {load:.1f}, Python {platform.python_version()}"
    )


def engines() -> str:
    """Name the engines that are installed, with their versions."""
    return ", ".join(f"{name} {here}" for name in ENGINES if (here := installed(name)))


def installed(package: str) -> str:
    """Version of an installed package, or nothing."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def keep_to(cores: int) -> None:
    """Keep this process, and those it starts, to so many cores, where the system can."""
    if hasattr(os, "sched_setaffinity"):  # Linux alone has it
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


def peak_mb(of: int) -> float:
    """Most memory held at one time, in MB: of this process, or of the largest that ended."""
    return resource.getrusage(of).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)
