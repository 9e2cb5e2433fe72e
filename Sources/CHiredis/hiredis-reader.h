// SPDX-License-Identifier: Apache-2.0
#ifndef CULVERT_HIREDIS_READER_H
#define CULVERT_HIREDIS_READER_H

#include <hiredis/hiredis.h>

#endif
