"""Decide: a request and the user's choices in, what is done about it out.

Pure: no I/O, no clock, no proxy. `Engine` is the door; the modules behind it are, in the order a
request meets them: `naming` (what is it), `recognise` (whose is it), `ladder` (what follows),
`outgoing` and `answers` (what is sent, or answered), `responses` (what comes back).
"""

from optout_proxy.engine.choices import Choices
from optout_proxy.engine.decide import Engine
from optout_proxy.engine.tool import BodyRule, Express, PageCookie, Supplied, SuppliedParam, Tool

__all__ = [
    "BodyRule",
    "Choices",
    "Engine",
    "Express",
    "PageCookie",
    "Supplied",
    "SuppliedParam",
    "Tool",
]
