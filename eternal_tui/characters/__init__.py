"""The character catalog, favourites, and name resolution."""
