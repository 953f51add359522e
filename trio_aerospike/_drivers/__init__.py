"""The commands of a client for blocking threads and asyncio loops, on connections leased from it."""
