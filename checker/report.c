/* SPDX-License-Identifier: ISC */
#include "checker/report.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/core/mem.h"

struct tally {
    size_t passed, failed, untested;
    bool is_failed; /* something at or above fail_on */
};

static struct tally count(const struct findings *f, enum severity fail_on)
{
    struct tally t = {0};

    for (size_t i = 0; i < f->n; i++) {
        const struct finding *it = &f->items[i];

        switch (it->outcome) {
        case OUTCOME_PASS:
            t.passed++;
            break;
        case OUTCOME_FAIL:
            t.failed++;
            t.is_failed |= it->check->severity >= fail_on;
            break;
        case OUTCOME_UNTESTED:
            t.untested++;
            break;
        }
    }
    return t;
}

/* Failures by severity, then what could not be tested, then passes; else as found. */
static int rank(const struct finding *f)
{
    switch (f->outcome) {
    case OUTCOME_FAIL:
        return -10 - (int)f->check->severity;
    case OUTCOME_UNTESTED:
        return 0;
    case OUTCOME_PASS:
        return 1;
    }
    return 1;
}

static int compare(const void *a, const void *b)
{
    const struct finding *const *x = a;
    const struct finding *const *y = b;
    int d = rank(*x) - rank(*y);

    return d != 0 ? d : (*x > *y) - (*x < *y);
}

static const struct finding **sorted(const struct findings *f)
{
    const struct finding **order = mem_new(f->n + 1, sizeof(*order));

    for (size_t i = 0; i < f->n; i++)
        order[i] = &f->items[i];
    qsort(order, f->n, sizeof(*order), compare);
    return order;
}

static const char *outcome_label(const struct finding *f)
{
    switch (f->outcome) {
    case OUTCOME_PASS:
        return "ok";
    case OUTCOME_UNTESTED:
        return "could not test";
    case OUTCOME_FAIL:
        return severity_name(f->check->severity);
    }
    return "";
}

static const char *colour(const struct finding *f)
{
    if (f->outcome == OUTCOME_PASS)
        return "\033[32m";
    if (f->outcome == OUTCOME_UNTESTED || f->check->severity <= SEVERITY_NOTICE)
        return "\033[36m";
    return f->check->severity == SEVERITY_WARNING ? "\033[33m" : "\033[31m";
}

/* Print `text` behind `label`, later lines of it indented alike. */
static void print_block(FILE *out, const char *label, const char *text)
{
    fprintf(out, "    %-4s ", label);
    for (; *text != '\0'; text++) {
        fputc(*text, out);
        if (*text == '\n')
            fputs("         ", out);
    }
    fputc('\n', out);
}

static void print_finding(FILE *out, const struct finding *f,
                          const struct report_options *o)
{
    const char *on = o->is_colour ? colour(f) : "";
    const char *off = o->is_colour ? "\033[0m" : "";

    if (f->outcome == OUTCOME_PASS) {
        fprintf(out, "%s%-14s%s %s  %s: %s (%s)\n", on, outcome_label(f), off,
                f->check->id, f->subject, f->check->title, f->seen);
        return;
    }
    fprintf(out, "%s%-14s%s %s  %s: %s%s\n", on, outcome_label(f), off, f->check->id,
            f->subject, f->outcome == OUTCOME_FAIL ? "does not hold: " : "",
            f->check->title);
    print_block(out, "seen", f->seen);
    if (f->outcome != OUTCOME_FAIL)
        return;
    print_block(out, "why", f->check->why);
    if (f->fix[0] != '\0')
        print_block(out, "fix", f->fix);
}

static void print_text(FILE *out, const char *title, const struct findings *f,
                       const struct tally *t, const struct report_options *o)
{
    const struct finding **order = sorted(f);

    if (!o->is_quiet)
        fprintf(out, "%s\n", title);
    for (size_t i = 0; i < f->n; i++)
        if (!o->is_quiet || order[i]->outcome != OUTCOME_PASS)
            print_finding(out, order[i], o);
    fprintf(out, "%zu ok, %zu failed, %zu could not be tested\n", t->passed, t->failed,
            t->untested);
    free(order);
}

static json_t *finding_json(const struct finding *f)
{
    static const char *const outcomes[] = {"pass", "fail", "untested"};

    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "id", f->check->id,
                     "severity", severity_name(f->check->severity), "outcome",
                     outcomes[f->outcome], "subject", f->subject, "title",
                     f->check->title, "seen", f->seen, "why", f->check->why, "fix",
                     f->fix, "clause", f->check->clause);
}

static void print_json(FILE *out, const char *title, const struct findings *f,
                       const struct tally *t)
{
    const struct finding **order = sorted(f);
    json_t *items = json_array();
    json_t *all;

    for (size_t i = 0; i < f->n; i++)
        (void)json_array_append_new(items, finding_json(order[i]));
    all = json_pack("{s:s, s:I, s:I, s:I, s:o}", "checked", title, "passed",
                    (json_int_t)t->passed, "failed", (json_int_t)t->failed, "untested",
                    (json_int_t)t->untested, "findings", items);
    (void)json_dumpf(all, out, JSON_INDENT(2));
    fputc('\n', out);
    json_decref(all);
    free(order);
}

int report_print(FILE *out, const char *title, const struct findings *f,
                 const struct report_options *o)
{
    struct tally t = count(f, o->fail_on);

    if (o->is_json)
        print_json(out, title, f, &t);
    else
        print_text(out, title, f, &t, o);
    if (t.is_failed)
        return 1;
    return t.untested > 0 && t.passed == 0 ? 2 : 0;
}
