/* SPDX-License-Identifier: ISC */
#include "maild/imap/section.h"

#include "base/msg/header.h"

bool imap_section_needs_tree(const struct imap_section *s)
{
    return s->depth > 0;
}

/* Number k among the parts of message m: a multipart's child, or the body of one that has
 * no parts, which is called 1. */
static int enter(const struct mime_tree *t, int m, uint32_t k)
{
    int i;

    if (t->parts[m].kind != MIME_MULTIPART)
        return k == 1 ? m : MIME_NONE;
    for (i = t->parts[m].child; i != MIME_NONE && k > 1; k--)
        i = t->parts[i].next;
    return i;
}

static int find_part(const struct imap_section *s, const struct mime_tree *t)
{
    int at = enter(t, 0, s->path[0]);

    for (int d = 1; d < s->depth && at != MIME_NONE; d++) {
        switch (t->parts[at].kind) {
        case MIME_MULTIPART:
            at = enter(t, at, s->path[d]);
            break;
        case MIME_MESSAGE:
            at = enter(t, t->parts[at].child, s->path[d]);
            break;
        case MIME_LEAF:
            at = MIME_NONE;
            break;
        }
    }
    return at;
}

static bool is_chosen(const struct imap_section *s, struct span name)
{
    for (size_t i = 0; i < s->n_fields; i++) {
        if (span_eq_nocase(s->fields[i], name))
            return s->what == IMAP_SECTION_FIELDS;
    }
    return s->what == IMAP_SECTION_FIELDS_NOT;
}

/* Append the chosen fields of a header as they stand. */
static bool copy_fields(const struct imap_section *s, struct span header, struct buf *out)
{
    struct header_iter it;
    struct header_field f;

    header_begin(&it, header);
    while (header_next(&it, &f)) {
        if (f.name.n == 0 || !is_chosen(s, f.name))
            continue;
        if (buf_span(out, f.raw) == -1 ||
            (f.raw.p[f.raw.n - 1] != '\n' && buf_str(out, "\r\n") == -1))
            return false;
    }
    return true;
}

static enum imap_section_result range(uint64_t a, uint64_t b, uint64_t *from, uint64_t *n)
{
    *from = a;
    *n = b - a;
    return IMAP_SECTION_RANGE;
}

enum imap_section_result imap_section_find(const struct imap_section *s,
                                           struct span prefix, struct span message,
                                           const struct mime_tree *tree, struct buf *out,
                                           uint64_t *from, uint64_t *n)
{
    const struct mime_part *p = &tree->parts[0];
    uint64_t shift = prefix.n, head;
    int at = 0;

    if (s->depth > 0) {
        at = find_part(s, tree);
        if (at == MIME_NONE)
            return IMAP_SECTION_NONE;
        p = &tree->parts[at];
        if (s->what == IMAP_SECTION_ALL)
            return range(shift + p->body, shift + p->end, from, n);
        if (s->what == IMAP_SECTION_MIME)
            return range(shift + p->header, shift + p->body, from, n);
        if (p->kind != MIME_MESSAGE)
            return IMAP_SECTION_NONE; /* HEADER and TEXT are of messages only */
        p = &tree->parts[p->child];
        prefix = span_of(NULL, 0);
        head = shift + p->header;
    } else {
        head = 0;
    }
    switch (s->what) {
    case IMAP_SECTION_ALL:
        return range(head, shift + p->end, from, n);
    case IMAP_SECTION_HEADER:
        return range(head, shift + p->body, from, n);
    case IMAP_SECTION_TEXT:
        return range(shift + p->body, shift + p->end, from, n);
    case IMAP_SECTION_FIELDS:
    case IMAP_SECTION_FIELDS_NOT:
        if (!copy_fields(s, prefix, out) ||
            !copy_fields(s, span_of(message.p + p->header, p->body - p->header), out) ||
            buf_str(out, "\r\n") == -1)
            return IMAP_SECTION_NONE;
        return IMAP_SECTION_COPY;
    case IMAP_SECTION_MIME:
        break;
    }
    return IMAP_SECTION_NONE;
}

void imap_section_cut(const struct imap_section *s, uint64_t *skip, uint64_t *n)
{
    *skip = 0;
    if (!s->is_partial)
        return;
    *skip = s->offset < *n ? s->offset : *n;
    *n -= *skip;
    if (*n > s->count)
        *n = s->count;
}

void imap_put_section_name(struct imap_out *o, const struct imap_item *it)
{
    static const char *const words[] = {
        [IMAP_SECTION_ALL] = "",
        [IMAP_SECTION_HEADER] = "HEADER",
        [IMAP_SECTION_FIELDS] = "HEADER.FIELDS",
        [IMAP_SECTION_FIELDS_NOT] = "HEADER.FIELDS.NOT",
        [IMAP_SECTION_TEXT] = "TEXT",
        [IMAP_SECTION_MIME] = "MIME",
    };
    const struct imap_section *s = &it->section;

    if (it->rfc822 != NULL) {
        imap_put(o, it->rfc822);
        return;
    }
    imap_put(o, "BODY[");
    for (int i = 0; i < s->depth; i++)
        imap_putf(o, "%s%u", i > 0 ? "." : "", s->path[i]);
    imap_putf(o, "%s%s", s->depth > 0 && s->what != IMAP_SECTION_ALL ? "." : "",
              words[s->what]);
    for (size_t i = 0; i < s->n_fields; i++) {
        imap_put(o, i == 0 ? " (" : " ");
        imap_put_astring(o, s->fields[i]);
    }
    imap_put(o, s->n_fields > 0 ? ")]" : "]");
    if (s->is_partial)
        imap_putf(o, "<%u>", s->offset);
}
