"""Compares deep networks on leukemia blood-smear images; it assists and does not diagnose.

Importing the package loads nothing else: each command imports what it needs.
"""

__version__ = "0.1.0"
