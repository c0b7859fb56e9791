"""What this machine computes with, asked without importing torch, which takes seconds."""

import ctypes
import platform
import sys
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")


def name() -> str:
    """The processor's name, for the record."""
    if _CPUINFO.exists():
        for line in _CPUINFO.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def has_bf16() -> bool:
    """Whether the processor multiplies bfloat16 in hardware."""
    if not _CPUINFO.exists():
        return False
    flags = _CPUINFO.read_text()
    return "avx512_bf16" in flags or "amx_bf16" in flags


def may_have_cuda() -> bool:
    """Whether NVIDIA's driver is here; without it PyTorch need not be asked for a GPU."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True
