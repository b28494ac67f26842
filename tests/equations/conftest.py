"""Property-based tests: no time limit an example, which a loaded machine would miss, and no database of examples."""

from hypothesis import settings

settings.register_profile("equations", deadline=None, database=None, max_examples=50)
settings.load_profile("equations")
