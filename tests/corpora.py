"""Outside test material that lies beside the checkout; a fresh clone has none."""

from pathlib import Path

import pytest

CORPORA = Path(__file__).resolve().parent.parent.parent / "shared" / "corpora"

needs_corpora = pytest.mark.skipif(not CORPORA.is_dir(), reason="no outside test material here")
