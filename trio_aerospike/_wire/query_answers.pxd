cimport cython
from libc.stdint cimport int64_t

from trio_aerospike._wire cimport constants as wire, object_maker, particles, reading, records, object_slots


cdef class AnswerDecoder:
    cdef object_maker.Maker _record_maker
    cdef object _make_faulty
    cdef Py_ssize_t _n_fields
    cdef bytes _before, _behind
    cdef str _namespace, _set_name

    @cython.locals(total=Py_ssize_t, end=Py_ssize_t, made=list, digests=list, values=list)
    cpdef object decode(self, bytes body, Py_ssize_t position, Py_ssize_t count)

    @cython.locals(
        size=Py_ssize_t, info3=Py_ssize_t, code=Py_ssize_t, generation=object, void_time=object, n_fields=Py_ssize_t,
        n_ops=Py_ssize_t, start=Py_ssize_t, first=Py_ssize_t, digest_start=Py_ssize_t, kind=Py_ssize_t, digest=bytes, namespace=str, set_name=str, value=int64_t,
        has_value=bint, bins=dict, end=Py_ssize_t,
    )
    cdef Py_ssize_t _read_plain(self, bytes body, Py_ssize_t position, list made, list digests, list values) except -1

    @cython.locals(size=Py_ssize_t, kind=Py_ssize_t, n_fields=Py_ssize_t, n_ops=Py_ssize_t, end=Py_ssize_t)
    cdef Py_ssize_t _read_other(self, bytes body, Py_ssize_t position, object found) except -1


cpdef object user_key_of(bytes data)

@cython.locals(index=Py_ssize_t, digest=bytes, last=dict)
cpdef list last_of_partitions(object digests)

@cython.locals(tail=Py_ssize_t, position=Py_ssize_t, n_fields=Py_ssize_t, n_ops=Py_ssize_t)
cpdef bint is_end(bytes body) except -1
