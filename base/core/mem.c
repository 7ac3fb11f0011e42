/* SPDX-License-Identifier: ISC */
/* base/core/mem.c - allocation that cannot fail; see mem.h. */
#include "base/core/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static NO_RETURN void out_of_memory(size_t n, size_t size)
{
    (void)fprintf(stderr, "out of memory: wanted %zu x %zu octets\n", n, size);
    abort();
}

void *mem_new(size_t n, size_t size)
{
    void *p = calloc(n == 0 ? 1 : n, size == 0 ? 1 : size); /* checks n * size */

    if (p == NULL)
        out_of_memory(n, size);
    return p;
}

void *mem_resize(void *p, size_t n, size_t size)
{
    void *moved;

    if (size != 0 && n > SIZE_MAX / size)
        out_of_memory(n, size);
    moved = realloc(p, n * size == 0 ? 1 : n * size);
    if (moved == NULL)
        out_of_memory(n, size);
    return moved;
}

char *mem_strdup(const char *s)
{
    return mem_dup(s, strlen(s) + 1);
}

void *mem_dup(const void *p, size_t n)
{
    void *copy = mem_new(n, 1);

    if (n > 0)
        memcpy(copy, p, n);
    return copy;
}
