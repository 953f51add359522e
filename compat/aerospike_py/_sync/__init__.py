"""The methods of the synchronous client and its queries: generated from ``_async`` by tools/make_sync.py."""
