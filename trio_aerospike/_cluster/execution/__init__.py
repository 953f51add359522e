"""Execution of commands: routing, retries, batches, queries, aggregations and background jobs."""
