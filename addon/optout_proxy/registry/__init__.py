"""What is known and what is chosen: policy files, tool files, settings, and their joining."""

from optout_proxy.registry.load import Registry, load

__all__ = ["Registry", "load"]
