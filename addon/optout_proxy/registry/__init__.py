"""What is known and what is chosen: policy files, tool files, settings, and their joining."""

from optout_proxy.registry.load import Registry, known_tools, load, load_settings_only

__all__ = ["Registry", "known_tools", "load", "load_settings_only"]
