/* SPDX-License-Identifier: ISC */
/* maild/smtp/data.c - end of data and dot-unstuffing as a machine of five states.
 *
 *     LINE_START --"."--> DOT --CR--> DOT_CR --LF--> end
 *         |  ^              |            |
 *         |  +---LF--- CR   +--other--> TEXT (the dot was stuffed and is dropped)
 *         +--other--> TEXT --CR--> CR
 *
 * Invariants: a CR is put out only together with its LF; a fault never changes the state,
 * so that the true end is still found behind it and nothing of the message is ever taken
 * for a command. */
#include "maild/smtp/data.h"

#include <assert.h>

/* A refused message may go on this long before we hang up. */
#define SKIP_MAX (64u << 20)

void smtp_data_begin(struct smtp_data *d, uint64_t size_max)
{
    *d = (struct smtp_data){.state = DATA_LINE_START, .size_max = size_max};
}

static void set_fault(struct smtp_data *d, enum smtp_data_fault f)
{
    if (d->fault == SMTP_DATA_GOOD || d->fault == SMTP_DATA_TOO_BIG)
        d->fault = f; /* a bare line end is the graver fault of the two */
}

static void put(struct smtp_data *d, struct buf *out, const void *p, size_t n)
{
    int rc;

    if (d->fault != SMTP_DATA_GOOD)
        return;
    if (d->size_max != 0 && n > d->size_max - d->size) {
        d->fault = SMTP_DATA_TOO_BIG;
        return;
    }
    rc = buf_append(out, p, n);
    assert(rc == 0); /* the caller made room */
    (void)rc;
    d->size += n;
}

/* Octets at the front of `in` without CR and LF. */
static size_t plain_run(struct smtp_data *d, struct span in)
{
    uint8_t high = 0;
    size_t i = 0;

    while (i < in.n && in.p[i] != '\r' && in.p[i] != '\n')
        high |= in.p[i++];
    if (high & 0x80)
        d->is_8bit = true;
    return i;
}

/* A CR that is not followed by LF, or an LF that does not follow a CR. The text goes on. */
static void after_cr(struct smtp_data *d, uint8_t c, struct buf *out)
{
    if (c == '\n') {
        put(d, out, "\r\n", 2);
        d->state = DATA_LINE_START;
        return;
    }
    set_fault(d, SMTP_DATA_BARE_CR);
    d->state = c == '\r' ? DATA_CR : DATA_TEXT;
}

/* One octet in any state; true at the end of the message. */
static bool take_octet(struct smtp_data *d, uint8_t c, struct buf *out)
{
    switch (d->state) {
    case DATA_DOT_CR:
        if (c == '\n')
            return true;
        after_cr(d, c, out);
        return false;
    case DATA_CR:
        after_cr(d, c, out);
        return false;
    case DATA_LINE_START:
        if (c == '.') {
            d->state = DATA_DOT;
            return false;
        }
        break;
    case DATA_DOT:
        if (c == '\r') {
            d->state = DATA_DOT_CR;
            return false;
        }
        break;
    case DATA_TEXT:
        break;
    }
    if (c == '\r') {
        d->state = DATA_CR;
        return false;
    }
    if (c == '\n')
        set_fault(d, SMTP_DATA_BARE_LF);
    else
        put(d, out, &c, 1);
    if (c & 0x80)
        d->is_8bit = true;
    d->state = DATA_TEXT;
    return false;
}

enum smtp_data_result smtp_data_feed(struct smtp_data *d, struct span in, size_t *used,
                                     struct buf *out)
{
    size_t i = 0;

    while (i < in.n) {
        if (d->state == DATA_TEXT) {
            size_t run = plain_run(d, span_drop(in, i));

            if (run > 0) {
                put(d, out, in.p + i, run);
                i += run;
                continue;
            }
        }
        if (take_octet(d, in.p[i++], out)) {
            *used = i;
            return SMTP_DATA_END;
        }
    }
    *used = i;
    if (d->fault != SMTP_DATA_GOOD)
        d->skipped += i;
    return d->skipped > SKIP_MAX ? SMTP_DATA_ABORT : SMTP_DATA_MORE;
}
