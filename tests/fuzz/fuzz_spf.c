/* SPDX-License-Identifier: ISC */
/* SPF records (deliverability/record/spf.h). Input: the text of a record, or of one term. */
#include "deliverability/record/spf.h"
#include "tests/fuzz/fuzz.h"

static void check_term(const struct spf_term *t)
{
    LAW(t->text.n > 0, "a term has text");
    LAW(t->kind != SPF_IP4 || t->prefix4 <= 32, "a prefix has its length");
    LAW(t->kind != SPF_IP6 || t->prefix6 <= 128, "a prefix has its length");
    LAW(t->prefix4 <= 32 && t->prefix6 <= 128, "a prefix has its length");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span text = fuzz_heap(span_of(data, n));
    struct spf_record r, again;
    struct spf_term t;
    struct err err = {0};
    struct buf once, twice;
    enum spf_parse result = spf_parse(text, &r, &err);

    LAW((result == SPF_PARSE_NOT_SPF) == !spf_is_record(text), "both say what is one");
    if (result == SPF_PARSE_BAD)
        LAW(err.text[0] != '\0', "a refusal says why");
    if (result == SPF_PARSE_OK) {
        buf_init(&once, n + 100);
        buf_init(&twice, n + 100);
        LAW(r.n <= SPF_TERMS_MAX && r.lookups <= r.n, "terms are counted");
        for (size_t i = 0; i < r.n; i++)
            check_term(&r.term[i]);
        LAW(spf_print(&r, &once) == 0, "a record prints");
        LAW(fuzz_is_plain(buf_all(&once)), "as plain text");
        LAW(spf_parse(buf_all(&once), &again, &err) == SPF_PARSE_OK, "and reads back");
        LAW(again.n == r.n && again.lookups == r.lookups && again.has_all == r.has_all,
            "to the same terms");
        LAW(spf_print(&again, &twice) == 0, "and prints");
        fuzz_same(buf_all(&once), buf_all(&twice), "printing is stable");
        buf_free(&once);
        buf_free(&twice);
    }
    if (spf_parse_term(text, &t, &err) == SPF_PARSE_OK)
        check_term(&t);
    fuzz_heap_free(text);
    return 0;
}
