cimport cython

from trio_aerospike._wire cimport constants as wire, writing


@cython.locals(fits=bint)
cdef int _pack(object value, bytearray out, Py_ssize_t depth, int mode) except -1

cdef int _pack_items(object items, bytearray out, Py_ssize_t depth, int mode) except -1

cdef int _pack_pairs(object value, bytearray out, Py_ssize_t depth, int mode, int sort_this) except -1

cdef list _sorted_keys(object value)
