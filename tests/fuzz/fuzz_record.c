/* SPDX-License-Identifier: ISC */
/* The text records of DKIM keys, DMARC and TLS reports (deliverability/record). Input: the text
 * of a record. What is parsed, printed and parsed again is the same. */
#include "base/crypto/keys.h"
#include "deliverability/record/dkim.h"
#include "deliverability/record/dmarc.h"
#include "deliverability/record/taglist.h"
#include "deliverability/record/tlsrpt.h"
#include "tests/fuzz/fuzz.h"

#define TEXT_MAX (1u << 20)

static void check_refusal(const struct err *err)
{
    LAW(err->text[0] != '\0', "a refusal says why");
}

static void check_dkim(struct span text)
{
    struct dkim_record r, again;
    struct err err = {0};
    struct buf out;

    if (dkim_record_parse(text, &r, &err) == -1) {
        check_refusal(&err);
        return;
    }
    LAW(r.is_revoked == (r.public_b64.n == 0), "a key that is not there is revoked");
    buf_init(&out, TEXT_MAX);
    LAW(dkim_record_print(r.type, r.public_b64, &out) == 0, "a record prints");
    LAW(dkim_record_parse(buf_all(&out), &again, &err) == 0, "and reads back");
    LAW(again.type == r.type, "to the same kind of key");
    fuzz_same(r.public_b64, again.public_b64, "and the same key");
    buf_free(&out);
    EVP_PKEY_free(keys_from_dkim(r.public_b64, r.type == DKIM_KEY_ED25519, &err));
}

static void check_dmarc(struct span text)
{
    struct dmarc_record r, again;
    struct err err = {0};
    struct span domain, rua = {0};
    struct buf out;

    if (dmarc_record_parse(text, &r, &err) == -1) {
        check_refusal(&err);
        return;
    }
    LAW(r.n_rua <= DMARC_URIS_MAX && r.n_ruf <= DMARC_URIS_MAX && r.percent <= 100,
        "values have their bounds");
    for (size_t i = 0; i < r.n_rua; i++)
        if (dmarc_uri_domain(r.rua[i], &domain)) {
            LAW(domain.n > 0 && domain.n <= r.rua[i].n, "a domain lies in its URI");
            if (span_index(r.rua[i], '!') == -1 && r.rua[i].n < 300)
                rua = span_drop(r.rua[i], 7);
        }
    buf_init(&out, TEXT_MAX);
    LAW(dmarc_record_print(r.policy, rua, &out) == 0, "a record prints");
    LAW(dmarc_record_parse(buf_all(&out), &again, &err) == 0, "and reads back");
    LAW(again.policy == r.policy && again.n_rua == (rua.n > 0), "to the same policy");
    buf_free(&out);
}

static void check_tlsrpt(struct span text)
{
    struct tlsrpt_record r, again;
    struct err err = {0};
    struct buf out;

    if (tlsrpt_record_parse(text, &r, &err) == -1) {
        check_refusal(&err);
        return;
    }
    LAW(r.n_rua > 0 && r.n_rua <= TLSRPT_URIS_MAX, "reports go somewhere");
    if (!span_starts_nocase(r.rua[0], SPAN_LIT("mailto:")))
        return;
    buf_init(&out, TEXT_MAX);
    LAW(tlsrpt_record_print(span_drop(r.rua[0], 7), &out) == 0, "a record prints");
    LAW(tlsrpt_record_parse(buf_all(&out), &again, &err) == 0 && again.n_rua == 1,
        "and reads back");
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span text = fuzz_heap(span_of(data, n)), value;
    struct taglist l;
    struct err err = {0};

    if (taglist_parse(text, &l, &err) == 0) {
        LAW(l.n <= TAGLIST_MAX, "tags are bounded");
        for (size_t i = 0; i < l.n; i++)
            LAW(l.tag[i].name.n > 0 && l.tag[i].value.n <= n, "a tag has a name");
        (void)taglist_get(&l, "v", &value);
    } else {
        check_refusal(&err);
    }
    check_dkim(text);
    check_dmarc(text);
    check_tlsrpt(text);
    fuzz_heap_free(text);
    return 0;
}
