"""HTML galleries and contact sheets."""
