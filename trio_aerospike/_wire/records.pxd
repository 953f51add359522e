cimport cython
from libc.stdint cimport int64_t

from trio_aerospike._wire cimport constants as wire, particles, reading



cpdef str repeated_text(bytes body, Py_ssize_t start, Py_ssize_t end)

@cython.locals(
    total=Py_ssize_t, size=Py_ssize_t, particle=Py_ssize_t, flags=Py_ssize_t, name_size=Py_ssize_t, start=Py_ssize_t,
    value_start=Py_ssize_t, name=str, value=object,
)
cpdef Py_ssize_t read_bins(bytes body, Py_ssize_t position, Py_ssize_t count, dict bins, list results=*) except -1

@cython.locals(size=Py_ssize_t)
cpdef Py_ssize_t skip_fields(bytes body, Py_ssize_t position, Py_ssize_t count) except -1

@cython.locals(size=Py_ssize_t, flags=Py_ssize_t, name_size=Py_ssize_t)
cpdef Py_ssize_t skip_bins(bytes body, Py_ssize_t position, Py_ssize_t count) except -1

@cython.locals(position=Py_ssize_t, end=Py_ssize_t, header_size=Py_ssize_t, n_fields=Py_ssize_t, n_ops=Py_ssize_t, bins=dict, results=list)
cpdef tuple decode_record(bytes body)
