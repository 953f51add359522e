"""User-defined functions in Lua of the embedded server."""
