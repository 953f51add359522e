"""What commands do: functions that run in the client's Trio run, take and return what aerospike_py does."""
