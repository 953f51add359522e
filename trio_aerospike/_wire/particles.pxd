from trio_aerospike._wire cimport cdt_unpack, constants as wire


cpdef object decode_value(Py_ssize_t particle, bytes data)
