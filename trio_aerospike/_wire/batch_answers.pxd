cimport cython

from trio_aerospike._wire cimport constants as wire, object_maker, reading, records


cdef class RowReader:
    cdef Py_ssize_t _count
    cdef object _pause
    cdef bint _writes
    cdef bytes _written
    cdef tuple _nils

    cdef int _take(self, Py_ssize_t index, Py_ssize_t code, object generation, object void_time, dict bins, object results) except -1

    @cython.locals(position=Py_ssize_t, total=Py_ssize_t, stop=Py_ssize_t, end=Py_ssize_t)
    cdef object _read(self, bytes body, object other)

    @cython.locals(header_size=Py_ssize_t, info3=Py_ssize_t, code=Py_ssize_t, generation=object, void_time=object, index=Py_ssize_t, n_fields=Py_ssize_t, n_ops=Py_ssize_t, end=Py_ssize_t, bins=dict, results=list)
    cdef Py_ssize_t _read_plain(self, bytes body, Py_ssize_t position) except -1


cdef class BatchAnswerReader(RowReader):
    cdef object _keys
    cdef list _results
    cdef object_maker.Maker _result_maker
    cdef object_maker.Maker _record_maker


cdef class Columns:
    cdef public list bins
    cdef public list codes
    cdef public list generations
    cdef public list void_times


cdef class ColumnReader(RowReader):
    cdef list _bins
    cdef list _codes
    cdef list _generations
    cdef list _void_times
    cdef list _results
    cdef object _mark
    cdef object _other
