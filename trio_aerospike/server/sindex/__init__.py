"""Secondary indexes: definitions, entries, searches."""
