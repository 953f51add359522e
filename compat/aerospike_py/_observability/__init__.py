"""Logging, metrics and tracing under the names of aerospike_py."""
