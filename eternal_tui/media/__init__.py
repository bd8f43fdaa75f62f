"""Results: fetched, checked, decoded to frames."""
