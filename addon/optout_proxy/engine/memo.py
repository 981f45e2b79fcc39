"""What was found out once: memos of bounded size."""

from __future__ import annotations

from typing import Final

_MOST: Final = 4096


def remember[Key, Value](memo: dict[Key, Value], key: Key, value: Value) -> Value:
    """Keep a value, and forget all others where there are too many; gives the value back."""
    if len(memo) >= _MOST:
        memo.clear()
    memo[key] = value
    return value
