"""The commands of a client, one module per family."""
