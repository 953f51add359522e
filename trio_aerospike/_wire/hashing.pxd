# The function of hashing.py, in C: for modules that are compiled.
# Facts: Dobbertin, Bosselaers, Preneel, "RIPEMD-160: A Strengthened Version of RIPEMD", 1996.

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>

    /* Which word of the block each step takes, and by how many bits it rotates, in the two lines of the function. */
    static const uint8_t ripemd_words[80] = {
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
        7, 4, 13, 1, 10, 6, 15, 3, 12, 0, 9, 5, 2, 14, 11, 8,
        3, 10, 14, 4, 9, 15, 8, 1, 2, 7, 0, 6, 13, 11, 5, 12,
        1, 9, 11, 10, 0, 8, 12, 4, 13, 3, 7, 15, 14, 5, 6, 2,
        4, 0, 5, 9, 7, 12, 2, 10, 14, 1, 3, 8, 11, 6, 15, 13,
    };
    static const uint8_t ripemd_shifts[80] = {
        11, 14, 15, 12, 5, 8, 7, 9, 11, 13, 14, 15, 6, 7, 9, 8,
        7, 6, 8, 13, 11, 9, 7, 15, 7, 12, 15, 9, 11, 7, 13, 12,
        11, 13, 6, 7, 14, 9, 13, 15, 14, 8, 13, 6, 5, 12, 7, 5,
        11, 12, 14, 15, 14, 15, 9, 8, 9, 14, 5, 6, 8, 6, 5, 12,
        9, 15, 5, 11, 6, 8, 13, 12, 5, 12, 13, 14, 11, 8, 5, 6,
    };
    static const uint8_t ripemd_words_2[80] = {
        5, 14, 7, 0, 9, 2, 11, 4, 13, 6, 15, 8, 1, 10, 3, 12,
        6, 11, 3, 7, 0, 13, 5, 10, 14, 15, 8, 12, 4, 9, 1, 2,
        15, 5, 1, 3, 7, 14, 6, 9, 11, 8, 12, 2, 10, 0, 4, 13,
        8, 6, 4, 1, 3, 11, 15, 0, 5, 12, 2, 13, 9, 7, 10, 14,
        12, 15, 10, 4, 1, 5, 8, 7, 6, 2, 13, 14, 0, 3, 9, 11,
    };
    static const uint8_t ripemd_shifts_2[80] = {
        8, 9, 9, 11, 13, 15, 15, 5, 7, 7, 8, 11, 14, 14, 12, 6,
        9, 13, 15, 7, 12, 8, 9, 11, 7, 7, 12, 7, 6, 15, 13, 11,
        9, 7, 15, 11, 8, 6, 6, 14, 12, 13, 5, 14, 13, 13, 7, 5,
        15, 5, 8, 11, 14, 14, 6, 14, 6, 9, 12, 9, 12, 5, 15, 8,
        8, 5, 12, 9, 12, 5, 14, 6, 8, 13, 6, 5, 15, 13, 11, 11,
    };

    #if defined(__GNUC__)
    #define RIPEMD_UNROLLED _Pragma("GCC unroll 16")
    #else
    #define RIPEMD_UNROLLED
    #endif
    #define RIPEMD_ROTATED(value, bits) ((value) << (bits) | (value) >> (32 - (bits)))
    /* One step of a line: its five words move on by one. */
    #define RIPEMD_STEP(a, b, c, d, e, mixed, word, bits) \
        sum = a + (mixed) + (word); \
        sum = RIPEMD_ROTATED(sum, bits) + e; \
        a = e; e = d; d = RIPEMD_ROTATED(c, 10); c = b; b = sum;
    #define RIPEMD_ROUND(first, mixed, mixed_2) \
        RIPEMD_UNROLLED \
        for (step = first; step < first + 16; step++) { \
            RIPEMD_STEP(a, b, c, d, e, mixed, words[ripemd_words[step]], ripemd_shifts[step]) \
            RIPEMD_STEP(a2, b2, c2, d2, e2, mixed_2, words[ripemd_words_2[step]], ripemd_shifts_2[step]) \
        }

    static void ripemd_compress(uint32_t *state, const uint8_t *block) {
        uint32_t words[16], sum;
        uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
        uint32_t a2 = a, b2 = b, c2 = c, d2 = d, e2 = e;
        int step;
        for (step = 0; step < 16; step++)
            words[step] = (uint32_t)block[4 * step] | (uint32_t)block[4 * step + 1] << 8
                | (uint32_t)block[4 * step + 2] << 16 | (uint32_t)block[4 * step + 3] << 24;
        RIPEMD_ROUND(0, (b ^ c ^ d), (b2 ^ (c2 | ~d2)) + 0x50A28BE6U)
        RIPEMD_ROUND(16, ((b & c) | (~b & d)) + 0x5A827999U, ((b2 & d2) | (c2 & ~d2)) + 0x5C4DD124U)
        RIPEMD_ROUND(32, ((b | ~c) ^ d) + 0x6ED9EBA1U, ((b2 | ~c2) ^ d2) + 0x6D703EF3U)
        RIPEMD_ROUND(48, ((b & d) | (c & ~d)) + 0x8F1BBCDCU, ((b2 & c2) | (~b2 & d2)) + 0x7A6D76E9U)
        RIPEMD_ROUND(64, (b ^ (c | ~d)) + 0xA953FD4EU, (b2 ^ c2 ^ d2))
        sum = state[1] + c + d2;
        state[1] = state[2] + d + e2;
        state[2] = state[3] + e + a2;
        state[3] = state[4] + a + b2;
        state[4] = state[0] + b + c2;
        state[0] = sum;
    }

    static void ripemd_hash(const uint8_t *data, size_t size, uint8_t *digest) {
        uint32_t state[5] = {0x67452301U, 0xEFCDAB89U, 0x98BADCFEU, 0x10325476U, 0xC3D2E1F0U};
        uint8_t last[128] = {0};
        uint64_t bits = (uint64_t)size * 8;
        size_t left = size % 64, padded = left < 56 ? 64 : 128, place;
        for (place = 0; place + 64 <= size; place += 64) ripemd_compress(state, data + place);
        memcpy(last, data + place, left);
        last[left] = 0x80;
        for (place = 0; place < 8; place++) last[padded - 8 + place] = (uint8_t)(bits >> 8 * place);
        for (place = 0; place < padded; place += 64) ripemd_compress(state, last + place);
        for (place = 0; place < 20; place++) digest[place] = (uint8_t)(state[place / 4] >> 8 * (place % 4));
    }
    """
    void ripemd_hash(const uint8_t* data, size_t size, uint8_t* digest) noexcept


cdef inline bytes ripemd160(bytes data):
    cdef bytes digest = PyBytes_FromStringAndSize(NULL, 20)
    ripemd_hash(
        <const uint8_t*>PyBytes_AS_STRING(data), <size_t>PyBytes_GET_SIZE(data), <uint8_t*>PyBytes_AS_STRING(digest)
    )
    return digest
