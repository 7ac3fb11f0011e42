/* SPDX-License-Identifier: ISC */
/* Domain names: text to wire and back, order, and names of people (base/dns/dname.h,
 * base/dns/idna.h). Two names, separated by LF, and an origin made of the second. */
#include <string.h>

#include "base/core/err.h"
#include "base/dns/dname.h"
#include "base/dns/idna.h"
#include "tests/fuzz/fuzz.h"

static void check_name(const struct dname *d)
{
    char text[DNAME_TEXT];
    struct dname again;
    size_t n;

    LAW(dname_check(dname_span(d)) == d->n, "a parsed name is a valid name");
    n = dname_print(dname_span(d), text);
    LAW(n == strlen(text) && n < DNAME_TEXT, "the printed length is the text's");
    LAW(fuzz_is_plain(span_of(text, n)), "a printed name is plain text");
    LAW(dname_parse(span_of(text, n), NULL, &again) == DNAME_OK && again.n == d->n &&
            memcmp(again.w, d->w, d->n) == 0,
        "a printed name reads back to the same octets");
    n = dname_print_bare(dname_span(d), text);
    LAW(dname_parse(span_of(text, n), NULL, &again) == DNAME_OK &&
            dname_eq(dname_span(&again), dname_span(d)),
        "a name without its dot reads back");
    again = *d;
    dname_lower(&again);
    LAW(dname_eq(dname_span(&again), dname_span(d)) &&
            dname_cmp(dname_span(&again), dname_span(d)) == 0,
        "letter case does not count");
    LAW(dname_labels(dname_span(d)) <= DNAME_LABELS, "labels are bounded");
    LAW(dname_in(dname_span(d), dname_parent(dname_span(d))), "a name is in its parent");
}

static void check_pair(const struct dname *a, const struct dname *b)
{
    int ab = dname_cmp(dname_span(a), dname_span(b));
    int ba = dname_cmp(dname_span(b), dname_span(a));

    LAW((ab < 0) == (ba > 0) && (ab == 0) == (ba == 0), "the order has two directions");
    LAW((ab == 0) == dname_eq(dname_span(a), dname_span(b)), "equal is equal in order");
    if (dname_in(dname_span(a), dname_span(b)))
        LAW(ab >= 0, "a zone comes before the names in it");
}

static void check_idna(struct span text)
{
    char ascii[IDNA_NAME_MAX + 1], again[IDNA_NAME_MAX + 1], shown[IDNA_DISPLAY_MAX + 1];
    struct err err = {0};
    struct dname d;

    if (idna_to_ascii(text, ascii, &err) == -1) {
        LAW(err.text[0] != '\0', "a refusal has a reason");
        return;
    }
    LAW(fuzz_is_plain(span_str(ascii)), "A-labels are ASCII");
    LAW(dname_parse(span_str(ascii), NULL, &d) == DNAME_OK, "A-labels make a name");
    LAW(idna_to_ascii(span_str(ascii), again, &err) == 0 && strcmp(ascii, again) == 0,
        "A-labels stay as they are");
    idna_to_display(ascii, shown);
}

/* Any octets as a wire name. */
static void check_wire(struct span octets)
{
    size_t used = dname_check(octets);
    struct dname d;

    LAW(used <= octets.n && used <= DNAME_MAX, "a name lies in its octets");
    if (used == 0)
        return;
    LAW(dname_set(&d, span_take(octets, used)), "what was checked can be copied");
    check_name(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span in = span_of(data, n), all = fuzz_heap(in);
    struct span first = fuzz_heap(fuzz_line(&in)), second = fuzz_heap(in);
    struct dname a, b, origin;
    bool is_a, is_b;

    check_wire(all);
    check_idna(first);
    is_b = dname_parse(second, NULL, &b) == DNAME_OK;
    is_a = dname_parse(first, NULL, &a) == DNAME_OK;
    if (is_a)
        check_name(&a);
    if (is_b)
        check_name(&b);
    if (is_a && is_b)
        check_pair(&a, &b);
    if (is_b && dname_parse(first, &b, &origin) == DNAME_OK)
        check_name(&origin);
    fuzz_heap_free(all);
    fuzz_heap_free(first);
    fuzz_heap_free(second);
    return 0;
}
