"""The methods of the asyncio client and its queries: the source from which ``_sync`` is generated."""
