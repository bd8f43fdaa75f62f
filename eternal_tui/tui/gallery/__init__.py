"""The gallery of results."""
