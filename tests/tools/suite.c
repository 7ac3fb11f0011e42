/* SPDX-License-Identifier: ISC */
/* tests/tools/suite.c - one case of a conformance suite against the pure code.
 *
 *   suite zone ORIGIN FILE     is this master file a zone fit to be published?
 *   suite data FILE            does a message end with the octets of FILE?
 *   suite mime FILE            does the message come apart into parts that make sense?
 *
 * Prints one line and exits 0 for good / end / sound, 1 for bad / not-end / unsound, 2 for
 * a fault of its own. tests/suites/run compares with what the suite wants. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/arena.h"
#include "base/core/buf.h"
#include "base/dns/dname.h"
#include "base/msg/mime.h"
#include "maild/smtp/data.h"
#include "zones/lint.h"
#include "zones/zonefile.h"

#define FILE_MAX (64u * 1024u * 1024u)

static struct buf read_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct buf text;

    buf_init(&text, FILE_MAX);
    if (f == NULL) {
        perror(path);
        exit(2);
    }
    for (;;) {
        size_t n;

        if (buf_reserve(&text, 65536) == -1)
            exit(2);
        n = fread(text.data + text.len, 1, 65536, f);
        if (n == 0)
            break;
        text.len += n;
    }
    (void)fclose(f);
    return text;
}

/* Zones ---------------------------------------------------------------------------------- */

static void show_error(void *ctx, const struct lint_finding *f)
{
    int *shown = ctx;

    if (f->severity == LINT_ERROR && (*shown)++ == 0)
        printf("bad: %s: %s\n", f->id, f->text);
}

static int do_zone(char **args)
{
    struct buf text = read_file(args[1]);
    struct dname apex;
    struct err err = {0};
    struct zone *z = NULL;
    int shown = 0;
    size_t errors = 1;

    if (dname_parse(span_str(args[0]), NULL, &apex) != DNAME_OK)
        return 2;
    z = zonefile_parse(args[1], buf_all(&text), dname_span(&apex), "suite", &err);
    if (z == NULL)
        printf("bad: %s\n", err.text);
    else
        errors = lint_zone(z, show_error, &shown);
    if (errors == 0)
        printf("good\n");
    zone_free(&z);
    buf_free(&text);
    return errors != 0;
}

/* End of data ---------------------------------------------------------------------------- */

/* The message so far, the sequence, and what a smuggler would send behind it. */
static int do_data(char **args)
{
    struct buf sequence = read_file(args[0]);
    struct buf in;
    struct buf out;
    struct smtp_data d;
    size_t used = 0;
    size_t wanted;
    enum smtp_data_result r;
    int rc;

    buf_init(&in, FILE_MAX);
    buf_init(&out, FILE_MAX);
    rc = buf_str(&in, "Subject: x\r\n\r\nbody");
    rc |= buf_span(&in, buf_all(&sequence));
    wanted = in.len;
    rc |=
        buf_str(&in, "MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\nx\r\n.\r\n");
    rc |= buf_reserve(&out, in.len + 2);
    if (rc != 0)
        return 2;
    smtp_data_begin(&d, 0);
    r = smtp_data_feed(&d, buf_all(&in), &used, &out);
    rc = !(r == SMTP_DATA_END && used == wanted);
    printf("%s%s\n", rc == 0 ? "end" : "not-end",
           d.fault == SMTP_DATA_GOOD ? "" : ", refused");
    if (r == SMTP_DATA_END && used < wanted)
        rc = 2; /* ended in the middle of the sequence */
    buf_free(&sequence);
    buf_free(&in);
    buf_free(&out);
    return rc;
}

/* Messages ------------------------------------------------------------------------------- */

/* A part lies inside its parent, and its borders are in order. */
static bool part_is_sound(const struct mime_tree *t, int i, size_t octets)
{
    const struct mime_part *p = &t->parts[i];

    if (p->header > p->body || p->body > p->end || p->end > octets)
        return false;
    if (i == 0)
        return p->parent == MIME_NONE;
    return p->parent >= 0 && p->parent < i && p->header >= t->parts[p->parent].body &&
           p->end <= t->parts[p->parent].end;
}

static int do_mime(char **args)
{
    struct buf text = read_file(args[0]);
    struct arena *a = arena_new(FILE_MAX);
    struct mime_tree t = {0};
    int rc = 2;

    if (mime_parse(buf_all(&text), a, &t) && t.n > 0) {
        rc = 0;
        for (int i = 0; i < t.n; i++)
            rc |= !part_is_sound(&t, i, text.len);
        printf("%s, %d parts\n", rc == 0 ? "sound" : "unsound", t.n);
    }
    arena_free(&a);
    buf_free(&text);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int args;
        int (*run)(char **args);
    } suites[] = {{"zone", 2, do_zone}, {"data", 1, do_data}, {"mime", 1, do_mime}};

    for (size_t i = 0; i < COUNT_OF(suites); i++)
        if (argc == 2 + suites[i].args && strcmp(argv[1], suites[i].name) == 0)
            return suites[i].run(argv + 2);
    (void)fprintf(stderr, "usage: suite zone ORIGIN FILE | data FILE | mime FILE\n");
    return 2;
}
