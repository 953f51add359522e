cimport cython

from trio_aerospike._wire cimport hashing, reading


cdef class KeyHasher:
    cdef bytes _prefix
    cdef object _begin

    cpdef bytes digest(self, object user_key)


@cython.locals(columns=object)
cpdef object partition_ids(object digests)
