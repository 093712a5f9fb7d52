"""What a process takes."""

from pathlib import Path


def memory_kb(what: str) -> int:
    """What this process takes (``VmRSS``), or took at its height (``VmHWM``; proc(5)).

    The height is that of this program alone; in `ru_maxrss` Linux also keeps what the process
    was before, the memory of whoever started it.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1])
