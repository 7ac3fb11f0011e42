/* SPDX-License-Identifier: ISC */
#include "checker/facts.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"

/* A run asks tens of questions, so the table is a list in the order of asking: reports
 * and recordings come out the same each time. The ceiling stops hostile data (an MX with
 * thousands of hosts) from making one run ask without end. */
enum { FACTS_MAX = 4000 };

struct facts {
    struct fact *items[FACTS_MAX];
    size_t n;
    struct fact overflow; /* answers every question beyond the ceiling */
};

struct facts *facts_new(void)
{
    struct facts *f = mem_new(1, sizeof(*f));

    f->overflow = (struct fact){.name = mem_strdup(""),
                                .state = FACT_UNKNOWN,
                                .why = "too many questions in one run"};
    return f;
}

static void fact_clear(struct fact *fact)
{
    for (size_t i = 0; i < fact->n; i++)
        free((void *)(uintptr_t)fact->rdata[i].p);
    free(fact->rdata);
    free(fact->name);
}

void facts_free(struct facts **f)
{
    if (*f == NULL)
        return;
    for (size_t i = 0; i < (*f)->n; i++) {
        fact_clear((*f)->items[i]);
        if ((*f)->items[i]->state == FACT_UNKNOWN)
            free((void *)(uintptr_t)(*f)->items[i]->why);
        free((*f)->items[i]);
    }
    fact_clear(&(*f)->overflow);
    free(*f);
    *f = NULL;
}

/* Names compare without case and without a final dot. */
static char *normal_name(const char *name)
{
    char *copy = mem_strdup(name);
    size_t n = strlen(copy);

    if (n > 1 && copy[n - 1] == '.')
        copy[--n] = '\0';
    ascii_lower_all((uint8_t *)copy, n);
    return copy;
}

static struct fact *find(struct facts *f, const char *normal, uint16_t type)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->items[i]->type == type && strcmp(f->items[i]->name, normal) == 0)
            return f->items[i];
    return NULL;
}

static struct fact *find_or_note(struct facts *f, const char *name, uint16_t type)
{
    char *normal = normal_name(name);
    struct fact *fact = find(f, normal, type);

    if (fact != NULL || f->n == FACTS_MAX) {
        free(normal);
        return fact != NULL ? fact : &f->overflow;
    }
    fact = mem_new(1, sizeof(*fact));
    fact->name = normal;
    fact->type = type;
    fact->state = FACT_MISSING;
    f->items[f->n++] = fact;
    return fact;
}

const struct fact *fact_get(struct facts *f, const char *name, uint16_t type)
{
    return find_or_note(f, name, type);
}

void fact_learn(struct facts *f, const char *name, uint16_t type, enum fact_state state,
                const char *why, const struct span *rdata, size_t n)
{
    struct fact *fact = find_or_note(f, name, type);

    assert(state != FACT_MISSING);
    if (fact->state != FACT_MISSING)
        return;
    fact->state = state;
    fact->why =
        state == FACT_UNKNOWN ? mem_strdup(why != NULL ? why : "no answer") : NULL;
    if (state != FACT_RECORDS)
        return;
    fact->rdata = mem_new(n, sizeof(*fact->rdata));
    for (size_t i = 0; i < n; i++)
        fact->rdata[i] = span_of(mem_dup(rdata[i].p, rdata[i].n), rdata[i].n);
    fact->n = n;
}

size_t facts_open(const struct facts *f)
{
    size_t n = 0;

    for (size_t i = 0; i < f->n; i++)
        n += f->items[i]->state == FACT_MISSING;
    return n;
}

bool facts_question(const struct facts *f, size_t i, const char **name, uint16_t *type)
{
    for (size_t k = 0; k < f->n; k++) {
        if (f->items[k]->state != FACT_MISSING)
            continue;
        if (i-- == 0) {
            *name = f->items[k]->name;
            *type = f->items[k]->type;
            return true;
        }
    }
    return false;
}

size_t facts_count(const struct facts *f)
{
    return f->n;
}

const char *fact_absence(const struct fact *fact)
{
    switch (fact->state) {
    case FACT_MISSING:
        return "not asked yet";
    case FACT_RECORDS:
        return "present";
    case FACT_NO_DATA:
        return "the name exists, but has no record of this type";
    case FACT_NO_NAME:
        return "the name does not exist (NXDOMAIN)";
    case FACT_UNKNOWN:
        return fact->why;
    }
    return "";
}
