cimport cython
from libc.stdint cimport uint64_t

from trio_aerospike._wire cimport constants as wire, reading


cdef class FrameReader:
    cdef dict _kinds
    cdef bint _unpacks
    cdef readonly Py_ssize_t max_size
    cdef readonly object error
    cdef readonly bytearray partial
    cdef Py_ssize_t _need
    cdef object _kind

    cdef bint _take(self, list frames, object kind, bytes body) except -1

    @cython.locals(buffer=bytearray, view=object, total=Py_ssize_t, position=Py_ssize_t, start=Py_ssize_t, end=Py_ssize_t, size=Py_ssize_t, head=uint64_t, frames=list, whole=bytes)
    cpdef list feed(self, object data)
