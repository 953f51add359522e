"""The tend loop: discover nodes and the partition map, and keep both up to date."""
