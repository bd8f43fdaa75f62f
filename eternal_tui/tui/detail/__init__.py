"""The detail pane of one job."""
