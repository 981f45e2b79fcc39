"""placeholder"""
from __future__ import annotations
def rows(*, quick: bool):
    return []
