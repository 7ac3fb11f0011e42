/* SPDX-License-Identifier: ISC */
/* base/core/mem.h - allocation that cannot fail.
 *
 * Why: sizes are bounded before they reach this file, so running out means the machine
 * is out of memory; ending the role with a clear line and being restarted is the only
 * repair that is ever tested. */
#ifndef BASE_CORE_MEM_H
#define BASE_CORE_MEM_H

#include <stddef.h>

#include "base/core/attr.h"

/* Zeroed memory for n objects of `size` octets; checked multiplication. */
MUST_USE void *mem_new(size_t n, size_t size);
/* Like realloc for n objects; new room is not zeroed. */
MUST_USE void *mem_resize(void *p, size_t n, size_t size);
MUST_USE char *mem_strdup(const char *s);
MUST_USE void *mem_dup(const void *p, size_t n);

#endif
