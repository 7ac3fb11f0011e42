/* SPDX-License-Identifier: ISC */
#include "maild/mailbox/digest.h"

#include "base/core/arena.h"
#include "base/msg/header.h"
#include "maild/imap/envelope.h"
#include "maild/imap/respond.h"

#define TEXT_MAX   (512u * 1024u)
#define ARENA_MAX  (16u * 1024u * 1024u)
#define FIELDS_MAX 3072u /* so that most rows of the index stay on one page */

bool digest_keeps(struct span name)
{
    /* what Thunderbird, Apple Mail, K-9, mutt and Roundcube ask for */
    static const char *const names[] = {
        "from",        "to",           "cc",        "bcc",        "subject",
        "date",        "message-id",   "reply-to",  "sender",     "in-reply-to",
        "references",  "content-type", "priority",  "x-priority", "importance",
        "newsgroups",  "list-id",      "list-post", "x-label",    "list-unsubscribe",
        "x-spam-flag", "x-original-to"};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (span_eq_str_nocase(name, names[i]))
            return true;
    }
    return false;
}

static bool keep_fields(struct span message, struct buf *out)
{
    struct header_iter it;
    struct header_field f;

    header_begin(&it, message);
    while (header_next(&it, &f)) {
        if (!digest_keeps(f.name))
            continue;
        if (buf_span(out, f.raw) == -1 ||
            (f.raw.p[f.raw.n - 1] != '\n' && buf_str(out, "\r\n") == -1))
            return false;
    }
    return true;
}

static void put_opaque(struct buf *b, size_t octets)
{
    struct imap_out o;

    buf_reset(b);
    imap_out_init(&o, b);
    imap_putf(&o, "(\"application\" \"octet-stream\" NIL NIL NIL \"8bit\" %zu)", octets);
}

void digest_make(struct digest *d, struct span message)
{
    struct arena *a = arena_new(ARENA_MAX);
    struct imap_out envelope, body, structure;
    struct mime_tree tree;
    bool ok;

    buf_init(&d->envelope, TEXT_MAX);
    buf_init(&d->body, TEXT_MAX);
    buf_init(&d->structure, TEXT_MAX);
    buf_init(&d->fields, FIELDS_MAX);
    imap_out_init(&envelope, &d->envelope);
    imap_out_init(&body, &d->body);
    imap_out_init(&structure, &d->structure);
    imap_put_envelope(&envelope, message, a);
    if (envelope.is_full) {
        buf_reset(&d->envelope);
        imap_out_init(&envelope, &d->envelope);
        imap_put(&envelope, "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
    }
    ok = mime_parse(message, a, &tree);
    if (ok) {
        imap_put_structure(&body, message, &tree, 0, false, a);
        imap_put_structure(&structure, message, &tree, 0, true, a);
    }
    if (!ok || body.is_full || structure.is_full) {
        put_opaque(&d->body, message.n);
        put_opaque(&d->structure, message.n);
    }
    arena_free(&a);
    d->has_fields = keep_fields(message, &d->fields);
}

void digest_free(struct digest *d)
{
    buf_free(&d->envelope);
    buf_free(&d->body);
    buf_free(&d->structure);
    buf_free(&d->fields);
}
