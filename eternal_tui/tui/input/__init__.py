"""Key actions, key map and key queue."""
