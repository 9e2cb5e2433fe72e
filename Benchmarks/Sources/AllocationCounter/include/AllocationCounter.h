// SPDX-License-Identifier: Apache-2.0
#ifndef ALLOCATION_COUNTER_H
#define ALLOCATION_COUNTER_H

#include <stdint.h>

/// How often the process has asked for memory so far: malloc, calloc, realloc and aligned variants, on every thread.
uint64_t allocation_count(void);

#endif
