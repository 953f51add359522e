"""Records as NumPy arrays: decode answers into arrays, and encode arrays as requests.

Nothing here but ``kept_answers`` is imported before arrays are used: NumPy is an extra.
"""
