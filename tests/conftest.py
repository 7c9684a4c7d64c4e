import os

from hypothesis import settings

# A busy machine is no fault of ours, and what CI takes in must not hang on the draw: new examples are tried at a desk.
settings.register_profile("threefold", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("threefold")
