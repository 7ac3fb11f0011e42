/* SPDX-License-Identifier: ISC */
/* deliverability/dkim_sign.c
 *
 * One table says which fields are signed and which are sealed. For each of its names, all
 * instances go into `input` from the bottom upwards and the name into h=, once more when it is
 * sealed. Then the field is written with an empty b= and, in canonical form, ends `input`.
 *
 * Line breaks are made by `struct folder`, only where the grammar has FWS; the canonical form
 * does not see them, so folding b= afterwards cannot break the signature. */
#include "deliverability/dkim_sign.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/codec.h"
#include "base/core/mem.h"
#include "base/msg/header.h"
#include "deliverability/canon.h"

#define LINE_MAX_COLUMNS 76
#define H_MAX            2048 /* octets of the h= list */
#define INSTANCES_MAX    20 /* fields of one name that are signed; more are forged noise */

/* What is signed. `is_sealed`: listed once more than present, so that adding one breaks the
 * signature. List- fields are not sealed: a list may add its own. Fields that hosts on the
 * way add or change (Received, Return-Path, Authentication-Results) are not here. */
static const struct {
    const char *name;
    bool is_sealed;
} signed_fields[] = {
    {"from", true},
    {"to", true},
    {"cc", true},
    {"subject", true},
    {"date", true},
    {"message-id", true},
    {"reply-to", true},
    {"in-reply-to", true},
    {"references", true},
    {"mime-version", true},
    {"content-type", true},
    {"content-transfer-encoding", true},
    {"content-disposition", false},
    {"sender", false},
    {"resent-from", false},
    {"resent-to", false},
    {"resent-date", false},
    {"resent-message-id", false},
    {"list-id", false},
    {"list-post", false},
    {"list-unsubscribe", false},
    {"list-unsubscribe-post", false},
    {"auto-submitted", false},
};

/* Text laid out in lines: a piece that would pass the last column goes to the next line,
 * behind one blank (RFC 6376 3.2 allows FWS at every place where we cut). */
struct folder {
    struct buf *out;
    size_t column;
    int bad;
};

static void piece(struct folder *f, struct span s, bool is_blank_before)
{
    if (f->column + s.n + is_blank_before > LINE_MAX_COLUMNS) {
        f->bad |= buf_str(f->out, "\r\n ");
        f->column = 1;
    } else if (is_blank_before) {
        f->bad |= buf_byte(f->out, ' ');
        f->column++;
    }
    f->bad |= buf_span(f->out, s);
    f->column += s.n;
}

/* Sign all fields of one name, from the bottom upwards (RFC 6376 5.4.2), and list them. */
static int sign_name(struct span header, size_t row, struct buf *h, struct buf *input)
{
    struct header_field found[INSTANCES_MAX], f;
    struct header_iter it;
    size_t n = 0, listed;

    header_begin(&it, header);
    while (header_find_next(&it, signed_fields[row].name, &f)) {
        if (n == INSTANCES_MAX) {
            memmove(found, found + 1, sizeof(found) - sizeof(found[0]));
            n--;
        }
        found[n++] = f;
    }
    for (size_t i = n; i > 0; i--) {
        if (canon_header(CANON_RELAXED, &found[i - 1], input) == -1)
            return -1;
    }
    listed = n + (signed_fields[row].is_sealed ? 1 : 0);
    for (size_t i = 0; i < listed; i++) {
        if (buf_str(h, h->len > 0 ? ":" : "") == -1 ||
            buf_str(h, signed_fields[row].name) == -1)
            return -1;
    }
    return 0;
}

static const char *algorithm_name(enum dkim_algorithm a)
{
    switch (a) {
    case DKIM_RSA_SHA256:
        return "rsa-sha256";
    case DKIM_ED25519_SHA256:
        return "ed25519-sha256";
    }
    return "";
}

/* The whole field up to "b=". */
static int write_field(const struct dkim_sign *s, struct span h, struct buf *out)
{
    struct folder f = {.out = out};
    char text[400];
    struct buf hash;

    f.bad = buf_str(out, "DKIM-Signature:");
    f.column = strlen("DKIM-Signature:");
    piece(&f, SPAN_LIT("v=1;"), true);
    (void)snprintf(text, sizeof(text), "a=%s;", algorithm_name(s->algorithm));
    piece(&f, span_str(text), true);
    piece(&f, SPAN_LIT("c=relaxed/relaxed;"), true);
    (void)snprintf(text, sizeof(text), "d=%.*s;", SPAN_ARG(s->domain));
    piece(&f, span_str(text), true);
    (void)snprintf(text, sizeof(text), "s=%.*s;", SPAN_ARG(s->selector));
    piece(&f, span_str(text), true);
    if (s->now_s > 0) {
        (void)snprintf(text, sizeof(text), "t=%" PRId64 ";", s->now_s);
        piece(&f, span_str(text), true);
    }
    piece(&f, SPAN_LIT("h="), true);
    while (h.n > 0) {
        struct span name, rest;
        bool has_more = span_cut(h, ':', &name, &rest);

        piece(&f, span_of(name.p, name.n + 1),
              false); /* with its ":" or, last, its ";" */
        h = has_more ? rest : (struct span){0};
    }
    buf_init(&hash, 64);
    f.bad |= base64_encode(s->body_hash, &hash);
    f.bad |= buf_byte(&hash, ';');
    piece(&f, SPAN_LIT("bh="), true);
    piece(&f, buf_all(&hash), false);
    buf_free(&hash);
    piece(&f, SPAN_LIT("b="), true);
    return f.bad == 0 ? 0 : -1;
}

int dkim_sign_begin(const struct dkim_sign *s, struct span header, struct buf *field,
                    struct buf *input)
{
    const size_t from = field->len;
    struct header_field self;
    struct header_iter it;
    struct buf h;
    int rc = -1;

    buf_init(&h, H_MAX);
    if (s->body_hash.n != DKIM_BODY_HASH || s->domain.n > 255 || s->selector.n > 255 ||
        !header_find(header, "from", &self))
        goto out;
    for (size_t i = 0; i < COUNT_OF(signed_fields); i++) {
        if (sign_name(header, i, &h, input) == -1)
            goto out;
    }
    if (buf_byte(&h, ';') == -1 ||
        write_field(s, span_of(h.data, h.len - 1), field) == -1)
        goto out;
    /* The field signs itself, with b= empty and without its line end (RFC 6376 3.7). */
    header_begin(&it, span_drop(buf_all(field), from));
    if (!header_next(&it, &self) || canon_header(CANON_RELAXED, &self, input) == -1)
        goto out;
    buf_truncate(input, input->len - 2);
    rc = 0;
out:
    buf_free(&h);
    return rc;
}

int dkim_sign_end(struct buf *field, struct span signature)
{
    struct folder f = {.out = field};
    struct buf text;
    struct span left;

    buf_init(&text, 2048);
    f.bad = base64_encode(signature, &text);
    for (size_t i = field->len; i > 0 && field->data[i - 1] != '\n'; i--)
        f.column++;
    left = buf_all(&text);
    while (left.n > 0) {
        size_t room = LINE_MAX_COLUMNS - (f.column < LINE_MAX_COLUMNS ? f.column : 1);

        piece(&f, span_take(left, room), false);
        left = span_drop(left, room);
    }
    f.bad |= buf_str(field, "\r\n");
    buf_free(&text);
    return f.bad == 0 ? 0 : -1;
}
