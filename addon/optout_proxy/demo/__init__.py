"""A show of the whole: stand-in sites, the real proxy and a browser's requests, all on loopback.

`show.show` plays everything that `table` names, once straight to the stand-ins and once through
the proxy; `judge` holds what arrived against what the user's levels promise; `screen` draws it.
"""
