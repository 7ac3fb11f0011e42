/* SPDX-License-Identifier: ISC */
#include "dnsd/plan.h"

#include <stdlib.h>

#include "base/core/mem.h"

#define NAMES_MAX ((size_t)4 << 30)

struct plan *plan_new(void)
{
    struct plan *p = mem_new(1, sizeof(*p));

    p->names = arena_new(NAMES_MAX);
    p->serial = -1;
    return p;
}

void plan_free(struct plan **p)
{
    if (*p == NULL)
        return;
    arena_free(&(*p)->names);
    free((*p)->zones);
    free((*p)->kept);
    free((*p)->orphans);
    free(*p);
    *p = NULL;
}

void plan_add(struct plan *p, const struct plan_zone *z)
{
    char *name = arena_strdup(p->names, span_str(z->name));

    if (name == NULL) /* over 4 GiB of names: compiled as if there were no image */
        return;
    if (p->n == p->cap) {
        p->cap = p->cap == 0 ? 64 : p->cap * 2;
        p->zones = mem_resize(p->zones, p->cap, sizeof(p->zones[0]));
    }
    p->zones[p->n] = *z;
    p->zones[p->n++].name = name;
}

struct plan_zone *plan_find(struct plan *p, int64_t domain_id)
{
    size_t low = 0;
    size_t high = p->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (p->zones[mid].domain_id == domain_id)
            return &p->zones[mid];
        if (p->zones[mid].domain_id < domain_id)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}
