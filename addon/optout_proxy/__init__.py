"""Optout Proxy: makes the opt-outs of a privacy policy hold."""

__version__ = "0.1.0"
