/* SPDX-License-Identifier: ISC */
/* LIST and LSUB over the names of an account, and the flags and sets of responses
 * (maild/imap/list.h, respond.h).
 *
 * Input: a line that is a command behind its tag, then names, each a line of one octet of
 * attributes and the name. */
#include <stdlib.h>

#include "base/core/utf8.h"
#include "maild/imap/lex.h"
#include "maild/imap/list.h"
#include "maild/imap/parse.h"
#include "maild/imap/search.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/imap_note.h"

#define NAMES_MAX 40
#define ARENA_MAX (1u << 20)

static int by_name(const void *a, const void *b)
{
    return span_cmp(((const struct imap_list_name *)a)->name,
                    ((const struct imap_list_name *)b)->name);
}

static size_t take_names(struct span in, struct imap_list_name *v)
{
    size_t n = 0, kept = 0;

    while (in.n > 0 && n < NAMES_MAX) {
        struct span line = fuzz_line(&in);
        unsigned how = fuzz_u8(&line);
        struct span name = fuzz_heap(line);

        if (!utf8_is_text(name) ||
            !imap_name_check((uint8_t *)(uintptr_t)name.p, name.n)) {
            fuzz_heap_free(name);
            continue;
        }
        v[n++] = (struct imap_list_name){.name = name,
                                         .use = how & 1 ? "\\Sent" : "",
                                         .is_missing = how & 2,
                                         .is_noselect = how & 4,
                                         .is_subscribed = how & 8 || how & 2};
    }
    qsort(v, n, sizeof(*v), by_name);
    for (size_t i = 0; i < n; i++)
        if (kept > 0 && span_eq(v[kept - 1].name, v[i].name))
            fuzz_heap_free(v[i].name);
        else
            v[kept++] = v[i];
    return kept;
}

/* "* LIST (attributes) "/" name" CRLF. */
static void check_row(struct span row)
{
    LAW(span_starts(row, SPAN_LIT("* LIST (")) || span_starts(row, SPAN_LIT("* LSUB (")),
        "a row says what it is");
    LAW(span_ends_nocase(row, SPAN_LIT("\r\n")), "a row is a line");
    row = span_drop(row, 7);
    imap_check_value(span_take(row, row.n - 2));
}

static void list(const struct imap_cmd *cmd, struct span names)
{
    struct imap_list_name v[NAMES_MAX];
    size_t n = take_names(names, v);
    struct imap_out o;
    struct buf out;

    buf_init(&out, 1u << 20);
    imap_list_prepare(v, n);
    for (size_t i = 0; i < n; i++) {
        buf_reset(&out);
        imap_out_init(&o, &out);
        if (imap_put_list(&o, cmd, v, n, i))
            check_row(buf_all(&out));
        else
            LAW(out.len == 0, "a name that is not asked for is not shown");
        LAW(!o.is_full, "a row has room");
    }
    for (size_t i = 0; i < n; i++)
        fuzz_heap_free(v[i].name);
    buf_free(&out);
}

/* A set of growing numbers, written, parsed: the same numbers. */
static void check_set(struct span in, struct arena *a)
{
    uint32_t numbers[64], last = 0;
    struct imap_out o;
    struct buf out;
    struct imap_set_out s = {.o = &o};
    struct imap_set set;
    struct lex x;
    size_t n = 0;

    buf_init(&out, 4096);
    imap_out_init(&o, &out);
    for (; in.n > 0 && n < COUNT_OF(numbers); n++) {
        last += 1 + fuzz_u8(&in) % 4;
        numbers[n] = last;
        imap_set_add(&s, last);
    }
    imap_set_end(&s);
    if (n > 0) {
        struct span text = arena_copy(a, buf_all(&out));

        lex_init(&x, text, a);
        set = lex_set(&x);
        LAW(x.fault == NULL && x.at == text.n, "a written set is a set");
        for (uint32_t i = 1, k = 0; i <= last; i++) {
            bool is_there = i == numbers[k];

            k += is_there && k + 1 < n;
            LAW(imap_set_has(&set, i, last) == is_there, "of the same numbers");
        }
        LAW(!imap_set_exceeds(&set, last), "none is larger than the last");
    }
    buf_free(&out);
}

static void check_flags(uint64_t flags)
{
    static const char *const keywords[] = {"$Junk", NULL, "x", "$MDNSent"};
    struct imap_out o;
    struct buf out;

    buf_init(&out, 4096);
    imap_out_init(&o, &out);
    imap_put_flags(&o, flags, keywords, COUNT_OF(keywords));
    LAW(!o.is_full, "flags have room");
    imap_check_value(buf_all(&out));
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span in = span_of(data, n), line = fuzz_line(&in), seed = line;
    struct arena *a = arena_new(ARENA_MAX);
    const struct imap_verb *verb;
    struct imap_cmd cmd;
    struct buf text;
    const char *fault;

    buf_init(&text, n + 10);
    LAW(buf_str(&text, "a ") == 0 && buf_span(&text, line) == 0, "room");
    if (imap_parse(buf_all(&text), a, &cmd, &verb, &fault) &&
        (cmd.op == IMAP_OP_LIST || cmd.op == IMAP_OP_LSUB))
        list(&cmd, in);
    buf_free(&text);
    check_flags(fuzz_u64(&seed));
    check_set(in, a);
    arena_free(&a);
    return 0;
}
