"""Records as NumPy arrays: how answers are taken apart by whole arrays, and how arrays become requests.

Nothing here is imported before somebody asks for arrays: NumPy is an extra.
"""
