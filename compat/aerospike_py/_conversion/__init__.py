"""Convert arguments of aerospike_py into those of trio_aerospike, and results back."""
