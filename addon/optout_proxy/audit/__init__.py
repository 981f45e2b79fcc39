"""Prove it: captures in, one verdict per tool out.

`opening` finds and reads captures, `survey` looks at one, `verdict` is the law, `result` joins what
was seen with what is declared and chosen, `reports` says it.
"""
