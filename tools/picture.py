"""Draw what `optout demo` prints, for the README: `python tools/picture.py`."""

from __future__ import annotations

import io
import re
import tempfile
from pathlib import Path

from rich.console import Console

from optout_proxy.demo import screen, show
from optout_proxy.registry import load

TOP = Path(__file__).resolve().parent.parent


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = show.show(load(TOP / "config.toml"), Path(folder))
    console = Console(record=True, width=100, file=io.StringIO(), force_terminal=True)
    screen.draw(found, console)
    drawn = console.export_svg(title="make demo").replace(f"{TOP}/", "")
    # No font from elsewhere: looking at the picture must tell nobody.
    drawn = re.sub(r"@font-face \{.*?\}", "", drawn, flags=re.DOTALL)
    (TOP / "docs" / "demo.svg").write_text(drawn, "utf-8")


if __name__ == "__main__":
    main()
