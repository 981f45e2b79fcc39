"""A show of the whole: stand-in sites, the real proxy and a browser's requests, all on loopback.

`show(registry, folder)` plays everything that `table` names, once straight to the stand-ins and
once through the proxy, and holds what arrived against what the user's levels promise.
"""

from optout_proxy.demo.show import Row, Show, show

__all__ = ["Row", "Show", "show"]
