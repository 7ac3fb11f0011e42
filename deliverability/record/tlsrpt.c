/* SPDX-License-Identifier: ISC */
#include "deliverability/record/tlsrpt.h"

#include "deliverability/record/taglist.h"

static int check_uri(struct span uri, struct err *err)
{
    if (span_starts_nocase(uri, SPAN_LIT("https://")) && uri.n > 8)
        return 0;
    if (span_starts_nocase(uri, SPAN_LIT("mailto:"))) {
        ptrdiff_t at = span_rindex(uri, '@');

        if (at > 7 && (size_t)at + 1 < uri.n)
            return 0;
        return err_set(err, "rua=%.*s holds no mail address", SPAN_ARG(uri));
    }
    if (span_index(uri, '@') > 0)
        return err_set(err, "rua=%.*s is not a URI: write mailto:%.*s", SPAN_ARG(uri),
                       SPAN_ARG(uri));
    return err_set(err, "rua=%.*s is neither mailto: nor https: (RFC 8460 3)",
                   SPAN_ARG(uri));
}

int tlsrpt_record_parse(struct span text, struct tlsrpt_record *r, struct err *err)
{
    struct taglist l;
    struct span v;
    bool is_more = true;

    r->n_rua = 0;
    if (taglist_parse(text, &l, err) == -1)
        return -1;
    if (l.n == 0 || !span_eq_str(l.tag[0].name, "v") ||
        !span_eq_str(l.tag[0].value, "TLSRPTv1"))
        return err_set(err, "the record must begin with v=TLSRPTv1 (RFC 8460 3)");
    if (!taglist_get(&l, "rua", &v))
        return err_set(err, "no rua=: nobody would be told (RFC 8460 3)");
    while (is_more) {
        struct span one;

        is_more = span_cut(v, ',', &one, &v);
        one = span_trim(one);
        if (r->n_rua == TLSRPT_URIS_MAX)
            return err_set(err, "rua= has more than %d addresses", TLSRPT_URIS_MAX);
        if (check_uri(one, err) == -1)
            return -1;
        r->rua[r->n_rua++] = one;
    }
    return 0;
}

int tlsrpt_record_print(struct span rua, struct buf *out)
{
    size_t before = out->len;

    if (buf_str(out, "v=TLSRPTv1; rua=mailto:") == 0 && buf_span(out, rua) == 0)
        return 0;
    buf_truncate(out, before);
    return -1;
}
