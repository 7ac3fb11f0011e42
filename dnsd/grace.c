/* SPDX-License-Identifier: ISC */
/* Why this is safe. Entering is: note[i] = epoch, then read the table. Retiring is: unlink,
 * then E = epoch++; sweeping reads note[i]. All of these are sequentially consistent. If
 * the sweep saw "away", a reader that enters later in that order also reads the table after
 * the unlinking and cannot find the old pointer. If it saw a note > E, the reader loaded
 * the epoch after it was raised, so after the unlinking too. A note <= E holds the memory. */
#include "dnsd/grace.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/core/mem.h"

#define AWAY UINT64_MAX

struct note {
    alignas(64) _Atomic uint64_t epoch; /* a cache line of its own */
};

struct waiting {
    struct waiting *next;
    uint64_t epoch;
    void *memory;
};

struct grace {
    _Atomic uint64_t epoch;
    struct waiting *first, **last; /* oldest first */
    size_t n_waiting;
    unsigned readers;
    struct note *notes;
};

struct grace *grace_new(unsigned readers)
{
    struct grace *g = mem_new(1, sizeof(*g));

    g->notes = aligned_alloc(alignof(struct note), readers * sizeof(struct note));
    if (g->notes == NULL)
        abort();
    g->readers = readers;
    g->last = &g->first;
    atomic_init(&g->epoch, 1);
    for (unsigned i = 0; i < readers; i++)
        atomic_init(&g->notes[i].epoch, AWAY);
    return g;
}

static void drop_first(struct grace *g)
{
    struct waiting *w = g->first;

    g->first = w->next;
    if (g->first == NULL)
        g->last = &g->first;
    g->n_waiting--;
    free(w->memory);
    free(w);
}

void grace_free(struct grace **g)
{
    if (*g == NULL)
        return;
    while ((*g)->first != NULL)
        drop_first(*g);
    free((*g)->notes);
    free(*g);
    *g = NULL;
}

void grace_enter(struct grace *g, unsigned reader)
{
    atomic_store(&g->notes[reader].epoch, atomic_load(&g->epoch));
}

void grace_leave(struct grace *g, unsigned reader)
{
    atomic_store_explicit(&g->notes[reader].epoch, AWAY, memory_order_release);
}

void grace_retire(struct grace *g, void *memory)
{
    struct waiting *w = mem_new(1, sizeof(*w));

    w->memory = memory;
    w->epoch = atomic_fetch_add(&g->epoch, 1);
    *g->last = w;
    g->last = &w->next;
    g->n_waiting++;
}

size_t grace_sweep(struct grace *g)
{
    uint64_t oldest = AWAY;

    for (unsigned i = 0; i < g->readers; i++) {
        uint64_t note = atomic_load(&g->notes[i].epoch);

        if (note < oldest)
            oldest = note;
    }
    while (g->first != NULL && g->first->epoch < oldest)
        drop_first(g);
    return g->n_waiting;
}
