"""What holds for all tests: how much hypothesis tries."""

from hypothesis import settings

# A slow machine must not fail a test, so no deadline.
# For when a decoder changes: pytest --hypothesis-profile=thorough
settings.register_profile("default", max_examples=150, deadline=None)
settings.register_profile("thorough", max_examples=20_000, deadline=None)
settings.load_profile("default")
