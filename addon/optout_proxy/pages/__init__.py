"""Pages, rewritten as they stream: opt-out flags, guards, markup, and nothing else.

`docs/pages.md` tells what is changed and why. In short:

    prelude = load_prelude(shipped.folder() / "blocklists")
    written = prelude.write(PagePlan(gpc=True, cookies=("_ga", "_ga_*")))

    request.headers = asked(request.headers, written.stamp)
    opened = open_page(written, url=…, status=…, lines=response.headers, nonce=…)
    response.headers = opened.headers
    if opened.rewriter:
        response.stream = opened.rewriter.stream
"""

from optout_proxy.pages.opening import Opened, open_page
from optout_proxy.pages.page import Page
from optout_proxy.pages.plan import Flag, PagePlan
from optout_proxy.pages.prelude import Prelude, Written, load_prelude
from optout_proxy.pages.rewriter import Rewriter
from optout_proxy.pages.validators import asked

__all__ = [
    "Flag",
    "Opened",
    "Page",
    "PagePlan",
    "Prelude",
    "Rewriter",
    "Written",
    "asked",
    "load_prelude",
    "open_page",
]
