/* SPDX-License-Identifier: ISC */
/* Addresses, strict and lenient (base/msg/address.h). Input: any text. */
#include "base/msg/address.h"
#include "tests/fuzz/fuzz.h"

#define ARENA_MAX (1u << 20)

static void check_strict(struct span text)
{
    struct mailbox m, again;
    struct span local;
    struct buf out, round;
    size_t used;

    (void)mailbox_parse_local(text, &local, &used);
    (void)mailbox_domain_ok(text);
    (void)mailbox_literal_ok(text);
    if (mailbox_parse(text, &m, &used) != MAILBOX_OK)
        return;
    LAW(used <= text.n && m.local.n + 1 + m.domain.n == used,
        "a mailbox is what it took");
    LAW(m.local.n <= MAILBOX_LOCAL_MAX && m.domain.n <= MAILBOX_DOMAIN_MAX,
        "a mailbox has its bounds");
    LAW(m.is_literal ? mailbox_literal_ok(m.domain) : mailbox_domain_ok(m.domain),
        "a domain is one by its own test");
    LAW((mailbox_parse_all(text, &again) == MAILBOX_OK) == (used == text.n),
        "all of the text is a mailbox when nothing is left");
    buf_init(&out, 1000);
    buf_init(&round, 1000);
    LAW(mailbox_print(&m, &out) == 0, "a mailbox prints");
    LAW(fuzz_is_plain(buf_all(&out)), "a mailbox is plain text");
    LAW(mailbox_parse_all(buf_all(&out), &again) == MAILBOX_OK, "and reads back");
    LAW(mailbox_print(&again, &round) == 0, "and prints again");
    fuzz_same(buf_all(&out), buf_all(&round), "printing a mailbox is stable");
    buf_free(&out);
    buf_free(&round);
}

static void check_text(struct span s)
{
    LAW(span_index(s, '\n') == -1, "texts of an address are unfolded");
}

/* What an element is called when mail is sent there. */
static void check_parts(const struct address *a)
{
    struct mailbox m;
    struct buf out;

    buf_init(&out, 1000);
    if (mailbox_print_parts(a->local, a->domain, &out) == 0 &&
        mailbox_parse_all(buf_all(&out), &m) == MAILBOX_OK)
        LAW(fuzz_is_plain(buf_all(&out)), "what is a mailbox is plain text");
    buf_free(&out);
}

static void check_lenient(struct span text, size_t arena_max)
{
    struct arena *a = arena_new(arena_max);
    struct address_list list;
    size_t open = 0;

    address_list_parse(text, a, &list);
    LAW(list.n <= ADDRESS_LIST_MAX, "a list is bounded");
    LAW(arena_used(a) <= arena_max, "and so is its memory");
    for (size_t i = 0; i < list.n; i++) {
        const struct address *x = &list.v[i];

        check_text(x->name);
        check_text(x->route);
        check_text(x->local);
        check_text(x->domain);
        if (x->kind == ADDRESS_GROUP_BEGIN)
            open++;
        else if (x->kind == ADDRESS_GROUP_END)
            LAW(open-- == 1, "groups do not nest");
        else
            check_parts(x);
    }
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span text = fuzz_heap(span_of(data, n));

    check_strict(text);
    check_lenient(text, ARENA_MAX);
    check_lenient(text, 700);
    fuzz_heap_free(text);
    return 0;
}
