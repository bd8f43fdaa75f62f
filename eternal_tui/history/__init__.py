"""The durable history: one TinyDB document and its journal."""
