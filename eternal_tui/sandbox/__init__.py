"""A local stand-in for the service: same protocol, real pictures and clips."""
