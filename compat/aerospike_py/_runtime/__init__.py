"""The Trio run behind the clients: its thread, the calls into it, and the sessions that live in it."""
