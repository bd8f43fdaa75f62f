"""The request form."""
