# The functions of reading.py, in C: for modules that are compiled. Each checks that what it reads lies within the frame.

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

cdef enum:
    COMPILED = 1
    # Places of a cache of texts, each a pair of items: bytes and text. A power of two.
    TEXT_PLACES = 1024
    # Longer texts are not kept.
    TEXT_SIZE_MAX = 64


cdef inline const uint8_t* at(bytes body, Py_ssize_t position, Py_ssize_t size) except NULL:
    """Return where ``size`` bytes from ``position`` on are."""
    if position < 0 or size < 0 or PyBytes_GET_SIZE(body) - position < size:
        raise IndexError(f"{size} bytes at {position} of {len(body)} are cut off")
    return <const uint8_t*>PyBytes_AS_STRING(body) + position


cdef inline uint16_t big16(const uint8_t* data) noexcept:
    return (<uint16_t>data[0] << 8) | data[1]


cdef inline uint32_t big32(const uint8_t* data) noexcept:
    return (<uint32_t>data[0] << 24) | (<uint32_t>data[1] << 16) | (<uint32_t>data[2] << 8) | data[3]


cdef inline uint64_t big64(const uint8_t* data) noexcept:
    return (<uint64_t>big32(data) << 32) | big32(data + 4)


cdef inline (uint8_t, uint8_t, uint8_t, uint32_t, uint32_t, uint32_t, uint16_t, uint16_t) unpack_head(
    bytes body, Py_ssize_t position
) except *:
    cdef const uint8_t* data = at(body, position, 22)
    return (
        data[0], data[3], data[5], big32(data + 6), big32(data + 10), big32(data + 14), big16(data + 18),
        big16(data + 20),
    )


cdef inline (uint32_t, uint8_t, uint8_t, uint8_t) unpack_op(bytes body, Py_ssize_t position) except *:
    cdef const uint8_t* data = at(body, position, 8)
    return big32(data), data[5], data[6], data[7]


cdef inline (uint32_t, uint8_t) unpack_field(bytes body, Py_ssize_t position) except *:
    cdef const uint8_t* data = at(body, position, 5)
    return big32(data), data[4]


cdef inline (uint16_t,) unpack_u16(bytes body, Py_ssize_t position) except *:
    return (big16(at(body, position, 2)),)


cdef inline (uint32_t,) unpack_u32(bytes body, Py_ssize_t position) except *:
    return (big32(at(body, position, 4)),)


cdef inline (uint64_t,) unpack_u64(bytes body, Py_ssize_t position) except *:
    return (big64(at(body, position, 8)),)


cdef inline (int8_t,) unpack_i8(bytes body, Py_ssize_t position) except *:
    return (<int8_t>at(body, position, 1)[0],)


cdef inline (int16_t,) unpack_i16(bytes body, Py_ssize_t position) except *:
    return (<int16_t>big16(at(body, position, 2)),)


cdef inline (int32_t,) unpack_i32(bytes body, Py_ssize_t position) except *:
    return (<int32_t>big32(at(body, position, 4)),)


cdef inline (int64_t,) unpack_i64(bytes body, Py_ssize_t position) except *:
    return (<int64_t>big64(at(body, position, 8)),)


cdef inline (double,) unpack_f32(bytes body, Py_ssize_t position) except *:
    cdef uint32_t bits = big32(at(body, position, 4))
    cdef float number
    memcpy(&number, &bits, 4)
    return (<double>number,)


cdef inline (double,) unpack_f64(bytes body, Py_ssize_t position) except *:
    cdef uint64_t bits = big64(at(body, position, 8))
    cdef double number
    memcpy(&number, &bits, 8)
    return (number,)


cdef inline (int64_t,) unpack_index_value(bytes body, Py_ssize_t position) except *:
    cdef const uint8_t* data = at(body, position, 8)
    cdef uint64_t bits = 0
    cdef int place
    for place in range(7, -1, -1):
        bits = (bits << 8) | data[place]
    return (<int64_t>bits,)


cdef inline str repeated_text_of(list cache, bytes body, Py_ssize_t position, Py_ssize_t size):
    """As text_of, for texts that repeat from record to record, such as the names of bins.

    Args:
        cache: a list of 2 * TEXT_PLACES items, None at first.
    """
    cdef const uint8_t* data = at(body, position, size)
    cdef uint32_t mixed = <uint32_t>size
    cdef Py_ssize_t place
    if size > TEXT_SIZE_MAX:
        return PyUnicode_DecodeUTF8(<const char*>data, size, NULL)
    for place in range(size):
        mixed = (mixed ^ data[place]) * 16777619
    place = 2 * ((mixed ^ (mixed >> 15)) & (TEXT_PLACES - 1))
    raw = cache[place]
    if raw is not None and PyBytes_GET_SIZE(<bytes>raw) == size and not memcmp(PyBytes_AS_STRING(<bytes>raw), data, size):
        return <str>cache[place + 1]
    text = PyUnicode_DecodeUTF8(<const char*>data, size, NULL)
    cache[place + 1] = text
    cache[place] = body[position:position + size]
    return text
