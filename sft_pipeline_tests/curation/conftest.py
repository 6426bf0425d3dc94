"""Properties run the same examples everywhere, however busy the machine is."""

from hypothesis import settings

settings.register_profile("same_everywhere", derandomize=True, deadline=None)
settings.load_profile("same_everywhere")
