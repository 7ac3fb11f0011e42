/* SPDX-License-Identifier: ISC */
/* A stored message as IMAP shows and searches it (maild/imap/section.h, envelope.h, search.h,
 * maild/mailbox/digest.h).
 *
 * Input: a line of FETCH items, a line of SEARCH keys, then the message. */
#include <string.h>

#include "maild/imap/envelope.h"
#include "maild/imap/search.h"
#include "maild/imap/section.h"
#include "maild/mailbox/digest.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/imap_note.h"

#define ARENA_MAX (2u << 20)
#define OUT_MAX   (1u << 20)

static const char prefix[] = "Return-Path: <s@example.net>\r\nDelivered-To: a@b.c\r\n";

static bool parse(const char *verb, struct span text, struct arena *a,
                  struct imap_cmd *cmd)
{
    const struct imap_verb *v;
    const char *fault;
    struct buf line;
    struct span all;
    bool is_ok;

    buf_init(&line, text.n + 100);
    LAW(buf_printf(&line, "a %s ", verb) == 0 && buf_span(&line, text) == 0, "room");
    all = arena_copy(a, buf_all(&line));
    is_ok = all.p != NULL && imap_parse(all, a, cmd, &v, &fault);
    buf_free(&line);
    return is_ok;
}

static void check_section(const struct imap_item *it, struct span m,
                          const struct mime_tree *tree)
{
    uint64_t from = 0, n = 0, skip = 0, before;
    enum imap_section_result r;
    struct imap_out o;
    struct buf out;

    buf_init(&out, OUT_MAX);
    r = imap_section_find(&it->section, span_str(prefix), m, tree, &out, &from, &n);
    if (r == IMAP_SECTION_RANGE)
        LAW(from <= sizeof(prefix) - 1 + m.n && n <= sizeof(prefix) - 1 + m.n - from,
            "a section lies in the message as read");
    if (r == IMAP_SECTION_COPY) {
        n = out.len;
        LAW(n <= sizeof(prefix) - 1 + m.n + 2,
            "chosen fields are no more than the header");
    }
    before = n;
    imap_section_cut(&it->section, &skip, &n);
    LAW(skip <= before && n <= before - skip, "a partial lies in its section");
    LAW(!it->section.is_partial || n <= it->section.count, "and is no longer than asked");
    buf_reset(&out);
    imap_out_init(&o, &out);
    imap_put_section_name(&o, it);
    LAW(!o.is_full && out.len > 0, "a section has a name");
    imap_check_value(buf_all(&out));
    buf_free(&out);
}

static void check_fetch(struct span items, struct span m)
{
    struct arena *a = arena_new(ARENA_MAX);
    struct mime_tree tree;
    struct imap_cmd cmd;

    if (parse("FETCH 1", items, a, &cmd) && mime_parse(m, a, &tree))
        for (size_t i = 0; i < cmd.n_items; i++)
            if (cmd.items[i].kind == IMAP_ITEM_SECTION)
                check_section(&cmd.items[i], m, &tree);
    arena_free(&a);
}

static void check_digest(struct span m)
{
    struct digest d;

    digest_make(&d, m);
    imap_check_value(buf_all(&d.envelope));
    imap_check_value(buf_all(&d.body));
    imap_check_value(buf_all(&d.structure));
    digest_free(&d);
}

static void check_search(struct span keys, struct span m)
{
    const struct imap_search_env env = {.seq_max = 9, .uid_max = 30, .now_s = 1795000000};
    const struct imap_facts facts = {.seq = 3,
                                     .uid = 7,
                                     .flags = IMAP_FLAG_SEEN | IMAP_FLAG_RECENT,
                                     .date_s = 1794000000,
                                     .size = m.n};
    struct arena *a = arena_new(ARENA_MAX);
    enum imap_match bare, full;
    struct imap_text text;
    struct imap_cmd cmd;

    if (parse("SEARCH", keys, a, &cmd) && !cmd.is_charset_bad) {
        struct imap_key not = {.kind = IMAP_KEY_NOT, .child = cmd.key};

        bare = imap_search_match(cmd.key, &facts, &env, NULL);
        imap_text_init(&text, span_str(prefix), m);
        full = imap_search_match(cmd.key, &facts, &env, &text);
        LAW(full != IMAP_MATCH_OPEN, "with the text every key is decided");
        LAW(bare == IMAP_MATCH_OPEN || bare == full, "what facts decide stays decided");
        if (cmd.key->next == NULL)
            LAW(imap_search_match(&not, &facts, &env, &text) != full,
                "NOT is the opposite");
        imap_text_free(&text);
    }
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span in = span_of(data, n), items = fuzz_line(&in), keys = fuzz_line(&in);
    struct span m = fuzz_heap(in);

    check_fetch(items, m);
    check_search(keys, m);
    check_digest(m);
    fuzz_heap_free(m);
    return 0;
}
