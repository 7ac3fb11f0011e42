/* SPDX-License-Identifier: ISC */
/* Mailbox names: modified UTF-7, patterns, and the strings of responses (maild/imap/mutf7.h,
 * list.h, respond.h). Input: a line that is a pattern, then a name. */
#include <stdlib.h>

#include "base/core/mem.h"
#include "base/msg/encword.h"
#include "maild/imap/lex.h"
#include "maild/imap/list.h"
#include "maild/imap/mutf7.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/imap_note.h"

#define LENGTH_MAX 200

/* RFC 3501 6.3.8 by the book: which ends of the name each piece of the pattern can reach. */
static bool matches(struct span p, struct span s)
{
    bool *may = mem_new(s.n + 1, sizeof(bool)), is_match;

    may[0] = true;
    for (size_t i = 0; i < p.n; i++) {
        bool is_wild = p.p[i] == '*' || p.p[i] == '%';

        if (!is_wild) {
            for (size_t k = s.n; k > 0; k--)
                may[k] = may[k - 1] && s.p[k - 1] == p.p[i];
            may[0] = false;
            continue;
        }
        for (size_t k = 1; k <= s.n; k++)
            may[k] = may[k] || (may[k - 1] && (p.p[i] == '*' || s.p[k - 1] != '/'));
    }
    is_match = may[s.n];
    free(may);
    return is_match;
}

static void check_coding(struct span wire)
{
    struct buf text, again;

    buf_init(&text, 3 * wire.n + 1);
    buf_init(&again, 4 * wire.n + 16);
    if (mutf7_decode(wire, &text)) {
        LAW(utf8_is_valid(buf_all(&text)), "a decoded name is UTF-8");
        LAW(mutf7_encode(buf_all(&text), &again), "and can be written");
        fuzz_same(wire, buf_all(&again), "there is one way to write a name");
    } else {
        LAW(text.len == 0, "a refused name leaves nothing behind");
    }
    buf_reset(&text);
    buf_reset(&again);
    if (mutf7_encode(wire, &again)) {
        LAW(utf8_is_valid(wire), "only UTF-8 is written as a name");
        LAW(fuzz_is_plain(buf_all(&again)), "a written name is plain text");
        if (mutf7_decode(buf_all(&again), &text))
            fuzz_same(wire, buf_all(&text), "a written name reads back");
    }
    buf_free(&text);
    buf_free(&again);
}

static void check_responses(struct span s)
{
    struct imap_out o;
    struct buf out;

    buf_init(&out, 10 * s.n + 100);
    imap_out_init(&o, &out);
    imap_put(&o, "(");
    imap_put_string(&o, s);
    imap_put(&o, " ");
    imap_put_astring(&o, s);
    imap_put(&o, " ");
    if (utf8_is_valid(s))
        imap_put_mailbox(&o, s);
    imap_put(&o, ")");
    LAW(!o.is_full, "a string grows by its escapes only");
    imap_check_value(buf_all(&out));
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span in = span_of(data, n), pattern = fuzz_heap(fuzz_line(&in));
    struct span name = fuzz_heap(in), copy;

    check_coding(name);
    check_coding(pattern);
    check_responses(name);
    copy = fuzz_heap(name);
    (void)imap_name_check((uint8_t *)(uintptr_t)copy.p, copy.n);
    if (name.n <= LENGTH_MAX && pattern.n <= LENGTH_MAX &&
        span_find_nocase(name, SPAN_LIT("inbox")) == -1)
        LAW(imap_list_match(pattern, name) == matches(pattern, name),
            "a pattern matches as RFC 3501 says");
    else
        (void)imap_list_match(pattern, name);
    fuzz_heap_free(copy);
    fuzz_heap_free(pattern);
    fuzz_heap_free(name);
    return 0;
}
