"""What was measured on, in words."""

import os
import platform
import shutil
from pathlib import Path

import torch


def machine(device: str) -> dict:
    """Device, threads, processor, memory and versions, for the head of a table."""
    on_gpu = torch.device(device).type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if on_gpu else "CPU",
        "threads": torch.get_num_threads(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(_memory() / 1e9, 1),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def compiler() -> str | None:
    """The C++ compiler that ``torch.compile`` would call here, if there is one."""
    return shutil.which(os.environ.get("CXX", "g++"))


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0
