"""Queries and scans of the embedded server."""
