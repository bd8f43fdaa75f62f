"""The request form: its fields, its lists, and nothing that knows a job."""
