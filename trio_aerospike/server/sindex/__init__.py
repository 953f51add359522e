"""Secondary indexes of the embedded server."""
