/* SPDX-License-Identifier: ISC */
/* Fields of a message: the parts given out are the message and nothing else, whatever it is
 * (base/msg/header.h, base/msg/date.h, base/msg/encword.h). */
#include "base/msg/encword.h"
#include "base/msg/header.h"
#include "tests/fuzz/fuzz.h"

#define TEXT_MAX (1u << 20)

static bool lies_in(struct span part, struct span whole)
{
    return part.n == 0 || (part.p >= whole.p && part.n <= whole.n &&
                           (size_t)(part.p - whole.p) <= whole.n - part.n);
}

static void check_field(const struct header_field *f, struct span message)
{
    struct buf line, text, again;

    LAW(lies_in(f->name, f->raw) && lies_in(f->value, f->raw) && lies_in(f->raw, message),
        "a field lies in its message");
    LAW(f->raw.n > 0, "a field takes octets");
    LAW(span_index(f->name, ':') == -1 && span_index(f->name, '\n') == -1,
        "a name ends before its colon");
    buf_init(&line, TEXT_MAX);
    buf_init(&text, TEXT_MAX);
    buf_init(&again, TEXT_MAX);
    LAW(header_unfold(f->value, &line) == 0,
        "an unfolded value is no longer than it was");
    LAW(line.len <= f->value.n, "an unfolded value is no longer than it was");
    LAW(span_index(buf_all(&line), '\n') == -1, "an unfolded value is one line");
    LAW(header_unfold(buf_all(&line), &again) == 0, "unfolding is stable");
    fuzz_same(buf_all(&line), buf_all(&again), "unfolding is stable");
    encword_decode(f->value, &text);
    LAW(utf8_is_valid(buf_all(&text)), "decoded words are UTF-8");
    buf_free(&line);
    buf_free(&text);
    buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span m = fuzz_heap(span_of(data, n));
    struct header_iter it;
    struct header_field f, found;
    size_t at = 0, fields = 0, froms = 0;

    for (header_begin(&it, m); header_next(&it, &f); fields++) {
        LAW(f.raw.p == m.p + at, "fields follow each other without a gap");
        at += f.raw.n;
        froms += span_eq_str_nocase(f.name, "From");
        check_field(&f, m);
        LAW(fields <= n, "there are no more fields than octets");
    }
    LAW(it.pos == header_size(m) && it.pos >= at && it.pos - at <= 2,
        "behind the last field stands only an empty line");
    LAW(header_body(m).n == m.n - header_size(m), "header and body are the message");
    LAW(header_count(m, "From") == froms, "counting agrees with walking");
    LAW(header_find(m, "from", &found) == (froms > 0), "finding agrees with walking");
    fuzz_heap_free(m);
    return 0;
}
