"""The durable history: one TinyDB file and its journal."""
