"""A program that only asks a network does not wait for a compiler; one that wants it has it."""

import subprocess
import sys

CODE = """
import sys
from leukoscope.learn import prediction
from leukoscope.learn.vision import torchvision
assert "sympy" not in sys.modules
assert not {"torch._dynamo", "torch._dynamo.utils"} & sys.modules.keys()
asked = torchvision.ops.roi_align.__globals__["is_compile_supported"]
assert asked("cpu") in (True, False)  # the real one, imported now
import torch._dynamo.utils
assert asked("cpu") == torch._dynamo.utils.is_compile_supported("cpu")
"""


def test_the_compiler_is_imported_when_it_is_asked_and_not_before() -> None:
    subprocess.run([sys.executable, "-c", CODE], check=True)
