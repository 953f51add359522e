"""Rows, keys and streams of get_many and put_many, and of batches."""
