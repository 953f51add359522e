cimport cython

from trio_aerospike._wire cimport constants as wire, reading

cdef bytes _NUMBER_SIZES


cpdef object unpack_value(bytes data)

cpdef object unpack_exactly(bytes data)

cdef object _from_raw(bytes data)

cdef object _hashable(object key)


@cython.final
cdef class _Unpacker:
    cdef bytes _data
    cdef Py_ssize_t _total
    cdef readonly Py_ssize_t position

    @cython.locals(position=Py_ssize_t, code=Py_ssize_t, data=bytes)
    cdef object value(self, Py_ssize_t depth)

    @cython.locals(position=Py_ssize_t)
    cdef Py_ssize_t _count(self, Py_ssize_t width) except -1

    @cython.locals(position=Py_ssize_t, data=bytes)
    cdef object _number(self, Py_ssize_t code)

    @cython.locals(position=Py_ssize_t, end=Py_ssize_t)
    cdef object _raw(self, Py_ssize_t size)

    @cython.locals(position=Py_ssize_t, end=Py_ssize_t, code=Py_ssize_t, is_text=bint)
    cdef object _key(self, Py_ssize_t depth)

    @cython.locals(position=Py_ssize_t, start=Py_ssize_t, end=Py_ssize_t, size=Py_ssize_t, code=Py_ssize_t, data=bytes)
    cdef tuple _extension(self)

    @cython.locals(position=Py_ssize_t)
    cdef Py_ssize_t _order(self) except -2

    cdef int _check_container(self, Py_ssize_t count, Py_ssize_t depth) except -1

    @cython.locals(order=Py_ssize_t, items=list)
    cdef object _list(self, Py_ssize_t count, Py_ssize_t depth)

    @cython.locals(order=Py_ssize_t)
    cdef object _map(self, Py_ssize_t count, Py_ssize_t depth)
