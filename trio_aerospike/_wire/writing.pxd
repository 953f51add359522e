# The functions of writing.py, in C: for modules that are compiled.

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE, PyByteArray_Resize
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.long cimport PyLong_AsLongLongAndOverflow
from cpython.unicode cimport PyUnicode_GET_LENGTH
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef extern from "Python.h":
    bint PyUnicode_IS_COMPACT_ASCII(object text)
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL


cdef inline bytes operation(int op, int particle, str name, const char* data, Py_ssize_t size):
    """Encode an operation; None if the name is not plain."""
    cdef Py_ssize_t name_size = 0
    cdef const char* name_data
    cdef bytes made
    cdef uint8_t* target
    cdef Py_ssize_t total
    if not PyUnicode_IS_COMPACT_ASCII(name):
        return None
    name_data = PyUnicode_AsUTF8AndSize(name, &name_size)  # its own bytes
    total = 4 + name_size + size
    if name_size > 15 or <uint64_t>total >= <uint64_t>0x100000000:
        return None
    made = PyBytes_FromStringAndSize(NULL, 4 + total)
    target = <uint8_t*>PyBytes_AS_STRING(made)
    target[0] = <uint8_t>(total >> 24)
    target[1] = <uint8_t>(total >> 16)
    target[2] = <uint8_t>(total >> 8)
    target[3] = <uint8_t>total
    target[4] = <uint8_t>op
    target[5] = <uint8_t>particle
    target[6] = 0
    target[7] = <uint8_t>name_size
    memcpy(target + 8, name_data, name_size)
    memcpy(target + 8 + name_size, data, size)
    return made


cdef inline bytes scalar_op(int op, object name, object value):
    cdef uint8_t number[8]
    cdef uint64_t bits
    cdef int overflow = 0
    cdef int place
    cdef int particle = 1
    cdef Py_ssize_t size = 0
    cdef double fraction
    cdef const char* text
    if type(name) is not str:
        return None
    if type(value) is str:
        if PyUnicode_IS_COMPACT_ASCII(value):
            text = PyUnicode_AsUTF8AndSize(value, &size)  # its own bytes
            return operation(op, 3, <str>name, text, size)
        try:
            data = (<str>value).encode()
        except UnicodeEncodeError:
            return None
        return operation(op, 3, <str>name, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
    if type(value) is int:
        bits = <uint64_t>PyLong_AsLongLongAndOverflow(value, &overflow)
        if overflow:
            return None
    elif type(value) is float:
        fraction = value
        memcpy(&bits, &fraction, 8)
        particle = 2
    else:
        return None
    for place in range(7, -1, -1):
        number[place] = <uint8_t>bits
        bits >>= 8
    return operation(op, particle, <str>name, <const char*>number, 8)


cdef inline uint8_t* extended(bytearray out, Py_ssize_t size) except NULL:
    """Make a buffer longer; returns where the new bytes are."""
    cdef Py_ssize_t old = PyByteArray_GET_SIZE(out)
    PyByteArray_Resize(out, old + size)
    return <uint8_t*>PyByteArray_AS_STRING(out) + old


cdef inline int put_byte(bytearray out, uint8_t value) except -1:
    extended(out, 1)[0] = value
    return 0


cdef inline int put_number(bytearray out, uint8_t code, uint64_t value, int width) except -1:
    """Append a code, and the lowest bytes of a number."""
    cdef uint8_t* data = extended(out, 1 + width)
    cdef int place
    data[0] = code
    for place in range(width, 0, -1):
        data[place] = <uint8_t>value
        value >>= 8
    return 0


cdef inline bint put_int(bytearray out, object value) except -1:
    cdef int overflow = 0
    cdef int64_t number = PyLong_AsLongLongAndOverflow(value, &overflow)
    if overflow:
        return False
    if number >= 0:
        if number < 0x80:
            put_byte(out, <uint8_t>number)
        elif number < 0x100:
            put_number(out, 0xCC, <uint64_t>number, 1)
        elif number < 0x10000:
            put_number(out, 0xCD, <uint64_t>number, 2)
        elif number < <int64_t>0x100000000:
            put_number(out, 0xCE, <uint64_t>number, 4)
        else:
            put_number(out, 0xCF, <uint64_t>number, 8)
    elif number >= -32:
        put_byte(out, <uint8_t>(number + 256))
    elif number >= -0x80:
        put_number(out, 0xD0, <uint64_t>number, 1)
    elif number >= -0x8000:
        put_number(out, 0xD1, <uint64_t>number, 2)
    elif number >= -<int64_t>0x80000000:
        put_number(out, 0xD2, <uint64_t>number, 4)
    else:
        put_number(out, 0xD3, <uint64_t>number, 8)
    return True


cdef inline int put_float(bytearray out, double value) except -1:
    cdef uint64_t bits
    memcpy(&bits, &value, 8)
    return put_number(out, 0xCB, bits, 8)


cdef inline bint put_block(bytearray out, uint8_t kind, const char* data, Py_ssize_t length) except -1:
    cdef uint8_t* target
    cdef Py_ssize_t size = length + 1
    if size < 32:
        target = extended(out, 1 + size)
        target[0] = <uint8_t>(0xA0 | size)
        target += 1
    else:
        if size < 0x100:
            put_number(out, 0xD9, <uint64_t>size, 1)
        elif size < 0x10000:
            put_number(out, 0xDA, <uint64_t>size, 2)
        elif <uint64_t>size < <uint64_t>0x100000000:
            put_number(out, 0xDB, <uint64_t>size, 4)
        else:
            return False
        target = extended(out, size)
    target[0] = kind
    memcpy(target + 1, data, length)
    return True


cdef inline bint put_raw(bytearray out, uint8_t kind, bytes data) except -1:
    return put_block(out, kind, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))


cdef inline bint put_text(bytearray out, str value) except -1:
    cdef Py_ssize_t size = 0
    cdef const char* text
    if PyUnicode_IS_COMPACT_ASCII(value):
        text = PyUnicode_AsUTF8AndSize(value, &size)  # its own bytes
        return put_block(out, 3, text, size)
    return put_raw(out, 3, value.encode())


cdef inline int put_list_header(bytearray out, Py_ssize_t count) except -1:
    if count < 16:
        return put_byte(out, <uint8_t>(0x90 | count))
    if count < 0x10000:
        return put_number(out, 0xDC, <uint64_t>count, 2)
    return put_number(out, 0xDD, <uint64_t>count, 4)


cdef inline int put_map_header(bytearray out, Py_ssize_t count) except -1:
    if count < 16:
        return put_byte(out, <uint8_t>(0x80 | count))
    if count < 0x10000:
        return put_number(out, 0xDE, <uint64_t>count, 2)
    return put_number(out, 0xDF, <uint64_t>count, 4)
