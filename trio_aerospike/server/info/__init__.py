"""Info commands of the embedded server."""
