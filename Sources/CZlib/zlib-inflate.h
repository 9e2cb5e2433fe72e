// SPDX-License-Identifier: Apache-2.0
#ifndef CULVERT_ZLIB_INFLATE_H
#define CULVERT_ZLIB_INFLATE_H

#include <zlib.h>

// inflateInit2 is a macro, which Swift does not see.
static inline int culvert_inflate_begin(z_stream *stream, int window_bits) {
    return inflateInit2(stream, window_bits);
}

#endif
