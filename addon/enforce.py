"""For stock mitmproxy: `mitmdump -s addon/enforce.py --set optout_config=PATH`.

Also `mitmproxy` and `mitmweb`. From a bare clone, with only the dependencies installed.
"""

import sys
from pathlib import Path

# Left in place: what is imported late must come from the same clone.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from optout_proxy.proxy.script import script

addons = [script()]
