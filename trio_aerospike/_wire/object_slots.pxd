# The functions of object_slots.py, in C: for modules that are compiled.

from cpython.object cimport PyObject, PyTypeObject
from cpython.ref cimport Py_INCREF

cdef extern from *:
    """
    #include "structmember.h"

    /* The offset of a slot that holds any object; -1 for any other attribute of the class. */
    static Py_ssize_t trio_aerospike_slot(PyObject *descriptor) {
        PyMemberDef *member;
        if (!PyObject_TypeCheck(descriptor, &PyMemberDescr_Type)) return -1;
        member = ((PyMemberDescrObject *)descriptor)->d_member;
        return member->type == T_OBJECT_EX && !(member->flags & READONLY) ? member->offset : -1;
    }

    /* Whether objects of the class are made as object.__new__ makes them, and nothing else is in them. */
    static int trio_aerospike_plain(PyTypeObject *made) {
        return made->tp_new == PyBaseObject_Type.tp_new && made->tp_itemsize == 0
            && made->tp_alloc == PyType_GenericAlloc;
    }
    """
    Py_ssize_t trio_aerospike_slot(object descriptor)
    bint trio_aerospike_plain(PyTypeObject* made)
    bint PyObject_GC_IsTracked(object made)
    void PyObject_GC_UnTrack(PyObject* made)
    object PyType_GenericAlloc(PyTypeObject* made, Py_ssize_t count)


cdef inline Py_ssize_t place_of(object made, str name) except -2:
    if not isinstance(made, type) or not trio_aerospike_plain(<PyTypeObject*>made):
        return -1
    return trio_aerospike_slot(getattr(made, name))


cdef inline object new(object made):
    return PyType_GenericAlloc(<PyTypeObject*>made, 0)


cdef inline tuple untracked(tuple made):
    if PyObject_GC_IsTracked(made):
        PyObject_GC_UnTrack(<PyObject*>made)
    return made


cdef inline void put(object target, Py_ssize_t place, object value) noexcept:
    Py_INCREF(value)
    (<PyObject**>(<char*><PyObject*>target + place))[0] = <PyObject*>value
