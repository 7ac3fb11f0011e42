/* SPDX-License-Identifier: ISC */
#include "checker/finding.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"

enum { FINDING_TEXT_MAX = 4096, FINDINGS_ARENA_MAX = 64 << 20, FINDINGS_MAX = 100000 };

void findings_init(struct findings *f)
{
    *f = (struct findings){.arena = arena_new(FINDINGS_ARENA_MAX)};
}

void findings_free(struct findings *f)
{
    arena_free(&f->arena);
    free(f->items);
    *f = (struct findings){0};
}

void findings_reset(struct findings *f)
{
    arena_reset(f->arena);
    f->n = 0;
}

static const char *keep(struct findings *f, const char *text)
{
    const char *copy = arena_strdup(f->arena, span_str(text));

    return copy != NULL ? copy : "";
}

static void add(struct findings *f, struct finding item)
{
    assert(item.check != NULL);
    if (f->n == FINDINGS_MAX)
        return;
    if (f->n == f->cap) {
        f->cap = f->cap == 0 ? 64 : f->cap * 2;
        f->items = mem_resize(f->items, f->cap, sizeof(*f->items));
    }
    f->items[f->n++] = item;
}

void finding_pass(struct findings *f, const char *id, const char *subject,
                  const char *seen_fmt, ...)
{
    char text[FINDING_TEXT_MAX];
    va_list ap;

    va_start(ap, seen_fmt);
    (void)vsnprintf(text, sizeof(text), seen_fmt, ap);
    va_end(ap);
    add(f, (struct finding){check_find(id), OUTCOME_PASS, keep(f, subject), keep(f, text),
                            ""});
}

void finding_fail(struct findings *f, const char *id, const char *subject,
                  const char *fix, const char *seen_fmt, ...)
{
    char text[FINDING_TEXT_MAX];
    va_list ap;

    va_start(ap, seen_fmt);
    (void)vsnprintf(text, sizeof(text), seen_fmt, ap);
    va_end(ap);
    add(f, (struct finding){check_find(id), OUTCOME_FAIL, keep(f, subject), keep(f, text),
                            keep(f, fix != NULL ? fix : "")});
}

void finding_untested(struct findings *f, const char *id, const char *subject,
                      const char *why_fmt, ...)
{
    char text[FINDING_TEXT_MAX];
    va_list ap;

    va_start(ap, why_fmt);
    (void)vsnprintf(text, sizeof(text), why_fmt, ap);
    va_end(ap);
    add(f, (struct finding){check_find(id), OUTCOME_UNTESTED, keep(f, subject),
                            keep(f, text), ""});
}

const struct check_info *check_find(const char *id)
{
    for (size_t i = 0; check_row(i) != NULL; i++)
        if (strcmp(check_row(i)->id, id) == 0)
            return check_row(i);
    return NULL;
}

const char *severity_name(enum severity s)
{
    static const char *const names[] = {"info", "notice", "warning", "error", "critical"};

    return names[s];
}
