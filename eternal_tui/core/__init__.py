"""Building blocks that depend on nothing else in this package."""
