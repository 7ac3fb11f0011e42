/* SPDX-License-Identifier: ISC */
/* One line, its verb, and what stands behind MAIL and RCPT (maild/smtp/line.h, verb.h, path.h,
 * params.h). */
#include "maild/smtp/line.h"
#include "maild/smtp/params.h"
#include "maild/smtp/path.h"
#include "maild/smtp/verb.h"
#include "tests/fuzz/fuzz.h"

/* The result does not change when more input comes, and no cut gives another one. */
static void check_line(struct span in, size_t max)
{
    struct span line = {0}, cut;
    size_t used = 0, cut_used;
    enum line_result r = smtp_line_next(in, max, &line, &used), early;

    if (r == LINE_OK)
        LAW(used <= in.n && used <= max && line.n == used - 2 && line.p == in.p &&
                span_index(line, '\n') == -1 && span_index(line, '\r') == -1,
            "a line is what stands before the first CRLF");
    else if (r == LINE_MORE)
        LAW(in.n < max, "no more is asked for than a line may have");
    for (size_t n = 0; n <= in.n && n < 600; n++) {
        struct span part = fuzz_heap(span_take(in, n));

        early = smtp_line_next(part, max, &cut, &cut_used);
        LAW(early == LINE_MORE || early == r, "split law: line");
        if (early == LINE_OK)
            LAW(cut_used == used && cut.n == line.n, "split law: line");
        fuzz_heap_free(part);
    }
}

static void check_path(struct span text)
{
    struct smtp_path p, again;
    struct span rest, rest2;
    struct buf out, round;

    if (smtp_path_parse(text, &p, &rest) != SMTP_PATH_OK)
        return;
    LAW(rest.n <= text.n && (rest.n == 0 || rest.p + rest.n == text.p + text.n),
        "what follows a path is the end of the line");
    buf_init(&out, 2 * MAILBOX_DOMAIN_MAX + MAILBOX_LOCAL_MAX + 2);
    LAW(smtp_path_print(&p, "mail.example.com", &out) == 0, "an address has its bounds");
    LAW(fuzz_is_plain(buf_all(&out)), "an address is plain text");
    if (!p.is_null) {
        buf_init(&round, 1000);
        LAW(smtp_path_parse(buf_all(&out), &again, &rest2) == SMTP_PATH_OK &&
                rest2.n == 0,
            "a printed path is a path");
        LAW(smtp_path_print(&again, "mail.example.com", &round) == 0, "and prints");
        fuzz_same(buf_all(&out), buf_all(&round), "printing a path is stable");
        buf_free(&round);
    }
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span in = span_of(data, n), all, name, arg, text, rest;
    size_t max = 2 + fuzz_u8(&in);
    const struct smtp_verb *v;
    struct smtp_mail_params m;
    struct smtp_param param;

    all = fuzz_heap(in);
    check_line(all, max);
    check_line(all, 512);
    smtp_verb_split(all, &name, &arg);
    v = smtp_verb_find(name);
    LAW(v == NULL || span_eq_str_nocase(name, v->name), "a verb is found by its name");
    check_path(all);
    check_path(arg);
    text = arg;
    if (smtp_mail_params(text, &m) == SMTP_PARAMS_OK && m.has_size)
        LAW(text.n > 0, "a size comes from the text");
    (void)smtp_rcpt_params(text);
    for (rest = text; smtp_param_next(&rest, &param) == SMTP_PARAM_OK;)
        LAW(param.key.n > 0 && rest.n < text.n, "each parameter takes octets");
    fuzz_heap_free(all);
    return 0;
}
