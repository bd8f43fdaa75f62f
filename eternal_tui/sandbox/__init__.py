"""A local stand-in for the service: same protocol, real images and videos."""
