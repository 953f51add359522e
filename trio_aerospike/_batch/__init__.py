"""Rows, keys and policies of batches, and the streams of get_many and put_many."""
