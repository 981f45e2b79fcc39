"""One profile for all property tests: machines differ, so no deadline a single example."""

from hypothesis import settings

settings.register_profile("calm", deadline=None)
settings.load_profile("calm")
