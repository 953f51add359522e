"""Queries: basic ones and scans, aggregations, background jobs."""
