cimport cython

from trio_aerospike._wire cimport reading, object_slots


cdef class Maker:
    cdef object _class
    cdef object _plain
    cdef bint _direct
    cdef Py_ssize_t _first, _second, _third, _fourth
    cdef list _others

    @cython.locals(place=Py_ssize_t)
    cpdef object make(self, object first, object second, object third, object fourth)
