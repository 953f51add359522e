cimport cython
from libc.stdint cimport uint64_t

from trio_aerospike._wire cimport constants as wire, frames, reading


cdef uint64_t _MESSAGE_OF
cdef Py_ssize_t _SMALLEST


cdef class _Base:
    pass


cdef class RequestPipeline(_Base):
    cdef bint _begun
    cdef frames.FrameReader _frames
    cdef Py_ssize_t _offered
    cdef readonly bytes _outgoing
    cdef bytearray _partial
    cdef object _peer
    cdef bytes _rest
    cdef public bint blocked
    cdef public list completed
    cdef public object error
    cdef public list expired
    cdef public object sent
    cdef public object unsent
    cdef public Py_ssize_t unsent_bytes

    @cython.locals(whole=bytes, size=Py_ssize_t, head=uint64_t, completed=list, frames=list, kind=Py_ssize_t, body=bytes)
    cpdef list receive_data(self, object data)
