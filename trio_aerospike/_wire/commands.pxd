from trio_aerospike._wire cimport writing


cpdef bytes encode_op(int op, object name, object value)
