"""Execution of commands: what happens after an attempt has failed."""
