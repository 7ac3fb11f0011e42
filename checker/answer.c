/* SPDX-License-Identifier: ISC */
#include "checker/answer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/dns/rdata.h"
#include "base/dns/rrtype.h"

bool answer_addr(const struct fact *f, size_t i, struct ipaddr *addr)
{
    size_t want = f->type == RR_A ? 4 : 16;

    if (f->rdata[i].n != want)
        return false;
    *addr = (struct ipaddr){.family = f->type == RR_A ? AF_INET : AF_INET6};
    memcpy(addr->b, f->rdata[i].p, want);
    return true;
}

bool answer_name(const struct fact *f, size_t i, char text[DNAME_TEXT])
{
    struct span name = span_drop(f->rdata[i], f->type == RR_MX ? 2 : 0);

    if (name.n == 0 || dname_check(name) != name.n)
        return false;
    (void)dname_print_bare(name, text);
    return true;
}

uint16_t answer_mx_preference(const struct fact *f, size_t i)
{
    const uint8_t *p = f->rdata[i].p;

    return (uint16_t)(f->rdata[i].n < 2 ? 0 : p[0] << 8 | p[1]);
}

bool answer_txt(const struct fact *f, size_t i, struct buf *out)
{
    struct span in = f->rdata[i];

    buf_reset(out);
    while (in.n > 0) {
        size_t n = in.p[0];

        if (n > in.n - 1 || buf_append(out, in.p + 1, n) == -1)
            return false;
        in = span_drop(in, 1 + n);
    }
    return true;
}

const char *answer_print(const struct fact *f, struct buf *out)
{
    char type[RRTYPE_TEXT];

    buf_reset(out);
    if (f->state != FACT_RECORDS)
        return fact_absence(f);
    for (size_t i = 0; i < f->n; i++) {
        if (buf_printf(out, "%s%s ", i > 0 ? ", " : "", rrtype_print(f->type, type)) ==
                -1 ||
            rdata_print(f->type, f->rdata[i], out) == -1)
            break;
    }
    return buf_cstr(out);
}
