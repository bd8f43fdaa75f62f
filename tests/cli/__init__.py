"""The command line, for users and scripts."""
