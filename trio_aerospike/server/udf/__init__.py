"""User-defined functions (UDFs) in Lua: modules, and calls on records."""
