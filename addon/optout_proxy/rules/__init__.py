"""The rule language: a line becomes a rule, many rules become a fast index.

The dialect is AdGuard's and uBlock Origin's network rules, so that a line can be pasted from or
into either: https://adguard.com/kb/general/ad-filtering/create-own-filters/ and
https://github.com/gorhill/uBlock/wiki/Static-filter-syntax.
"""
