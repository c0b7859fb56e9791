"""torchvision, without the compiler that it loads.

For an operation of object detection torchvision imports a function of torch's compiler, and with it
the compiler, which takes several seconds: more than torch and torchvision themselves. Here that
function is a stand-in, which imports the compiler when it is called.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch  # noqa: F401 - before the stand-ins, so that torch itself never meets them

_COMPILER = "torch._dynamo"
_ASKED = "torch._dynamo.utils"


class _StandIn(ModuleType):
    """A module of which every function is the real one's, imported when it is called."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        module = self.__name__
        return lambda *values: getattr(importlib.import_module(module), name)(*values)


@contextmanager
def _without_compiler() -> Iterator[None]:
    stand_ins = {name: _StandIn(name) for name in (_COMPILER, _ASKED)}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name in stand_ins:
            del sys.modules[name]


if _COMPILER in sys.modules:
    import torchvision
else:
    with _without_compiler():
        import torchvision

__all__ = ["torchvision"]
