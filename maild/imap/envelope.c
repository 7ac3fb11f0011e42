/* SPDX-License-Identifier: ISC */
#include "maild/imap/envelope.h"

#include "base/msg/address.h"
#include "base/msg/header.h"

/* The field's value on one line, or p == NULL. */
static struct span field_text(struct span message, const char *name, struct arena *a)
{
    struct header_field f;

    if (!header_find(message, name, &f))
        return span_of(NULL, 0);
    return mime_unfold(f.value, a);
}

static void put_address(struct imap_out *o, const struct address *v)
{
    switch (v->kind) {
    case ADDRESS_GROUP_BEGIN:
        imap_put(o, "(NIL NIL ");
        imap_put_string(o, v->name);
        imap_put(o, " NIL)");
        break;
    case ADDRESS_GROUP_END:
        imap_put(o, "(NIL NIL NIL NIL)");
        break;
    case ADDRESS_MAILBOX:
        imap_put(o, "(");
        imap_put_nstring(o, v->name);
        imap_put(o, " ");
        imap_put_nstring(o, v->route);
        imap_put(o, " ");
        imap_put_string(o, v->local); /* NIL would make it a group: at least "" */
        imap_put(o, " ");
        imap_put_string(o, v->domain);
        imap_put(o, ")");
        break;
    }
}

/* Empty lists and missing fields are NIL; false then. */
static bool put_addresses(struct imap_out *o, struct span message, const char *name,
                          struct arena *a)
{
    struct address_list list = {NULL, 0, true};
    struct header_field f;

    if (header_find(message, name, &f))
        address_list_parse(f.value, a, &list);
    if (list.n == 0)
        return false;
    imap_put(o, " (");
    for (size_t i = 0; i < list.n; i++)
        put_address(o, &list.v[i]);
    imap_put(o, ")");
    return true;
}

void imap_put_envelope(struct imap_out *o, struct span message, struct arena *a)
{
    static const struct {
        const char *name, *fallback; /* RFC 3501: Sender and Reply-To default to From */
    } lists[] = {{"From", NULL}, {"Sender", "From"}, {"Reply-To", "From"},
                 {"To", NULL},   {"Cc", NULL},       {"Bcc", NULL}};

    message = span_take(message, header_size(message));
    imap_put(o, "(");
    imap_put_nstring(o, field_text(message, "Date", a));
    imap_put(o, " ");
    imap_put_nstring(o, field_text(message, "Subject", a));
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        if (!put_addresses(o, message, lists[i].name, a) &&
            (lists[i].fallback == NULL ||
             !put_addresses(o, message, lists[i].fallback, a)))
            imap_put(o, " NIL");
    }
    imap_put(o, " ");
    imap_put_nstring(o, field_text(message, "In-Reply-To", a));
    imap_put(o, " ");
    imap_put_nstring(o, field_text(message, "Message-ID", a));
    imap_put(o, ")");
}
