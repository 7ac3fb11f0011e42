/* SPDX-License-Identifier: ISC */
/* The sending side against a peer that says anything, in one piece and in pieces
 * (maild/smtp/client.h, replyparse.h).
 *
 * Input: one octet of flags, two for the cuts, then: number of recipients' octet, sender and
 * recipients as lines, and what the peer says. */
#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "maild/smtp/client.h"
#include "maild/smtp/replyparse.h"
#include "tests/fuzz/fuzz.h"

#define RCPTS_MAX 12

static const char message[] = "Subject: x\r\n\r\n.dots\r\n..\r\n.\r\nend";

struct peer {
    struct smtp_client c;
    struct buf said, waiting;
    bool is_done;
};

/* Everything we said so far goes out. */
static void drain(struct peer *p)
{
    LAW(p->c.out.len <= SMTP_CLIENT_OUT_MAX, "what waits to be sent is bounded");
    fuzz_note(&p->said, "%s", buf_cstr(&p->c.out));
    buf_reset(&p->c.out);
}

static void obey(struct peer *p, enum smtp_client_want want)
{
    for (;;) {
        drain(p);
        switch (want) {
        case CLIENT_MORE:
            return;
        case CLIENT_TLS:
            fuzz_note(&p->said, "{TLS}");
            want = smtp_client_tls(&p->c);
            break;
        case CLIENT_BODY:
            for (size_t i = 0; i < sizeof(message) - 1; i += 7)
                LAW(smtp_client_body(&p->c, span_take(span_str(message + i), 7)) == 0,
                    "a small piece has room");
            want = smtp_client_body_end(&p->c);
            break;
        case CLIENT_DONE:
            p->is_done = true;
            return;
        }
    }
}

static void check_results(struct peer *p, const struct smtp_client_job *job)
{
    for (size_t i = 0; i < job->n; i++) {
        const struct smtp_client_result *r = &p->c.results[i];

        LAW(r->outcome != OUTCOME_NONE && r->text != NULL,
            "every recipient has a result");
        LAW(strlen(r->text) <= SMTP_CLIENT_REPLY_MAX, "a kept reply is bounded");
        LAW(strpbrk(r->text, "\r\n") == NULL, "a kept reply is one line");
        fuzz_note(&p->said, "%zu: %d %s\n", i, r->outcome, r->text);
    }
    fuzz_note(&p->said, "next %d\n", smtp_client_may_try_next(&p->c));
}

static void play(const struct smtp_client_job *job, unsigned cuts, bool is_whole,
                 struct span text, struct buf *said)
{
    struct peer p = {.is_done = false};
    struct fuzz_cuts c;

    fuzz_cuts_init(&c, cuts);
    buf_init(&p.said, FUZZ_LOG_MAX);
    buf_init(&p.waiting, text.n + 1);
    smtp_client_init(&p.c, job);
    while (text.n > 0 && !p.is_done) {
        size_t n = is_whole ? text.n : fuzz_cut(&c, text.n);
        size_t used;

        LAW(buf_span(&p.waiting, span_take(text, n)) == 0, "input fits");
        text = span_drop(text, n);
        do {
            struct span in = fuzz_heap(buf_all(&p.waiting));
            enum smtp_client_want want = smtp_client_input(&p.c, in, &used);

            LAW(used <= in.n, "no more is taken than was given");
            LAW(smtp_client_timeout_ms(&p.c) > 0, "every wait ends");
            fuzz_heap_free(in);
            buf_drop(&p.waiting, used);
            obey(&p, want);
        } while (used > 0 && !p.is_done);
        LAW(p.is_done || p.waiting.len <= REPLYPARSE_MAX, "replies are bounded");
    }
    if (!p.is_done)
        smtp_client_lost(&p.c, "connection lost");
    drain(&p);
    check_results(&p, job);
    *said = p.said;
    smtp_client_free(&p.c);
    buf_free(&p.waiting);
}

static void check_replies(struct span in)
{
    struct smtp_peer_reply r;
    size_t used;

    while (replyparse_next(in, &r, &used) == REPLYPARSE_OK) {
        struct span lines = r.lines, line;
        struct buf text;

        LAW(used > 0 && used <= in.n && used <= REPLYPARSE_MAX, "a reply takes octets");
        LAW(r.code >= 200 && r.code <= 599, "a reply has its code");
        while (replyparse_line(&lines, &line))
            LAW(span_index(line, '\n') == -1, "a line of a reply is one line");
        buf_init(&text, 600);
        replyparse_print(&r, 100, &text);
        LAW(text.len >= 3 && text.len <= 100, "a printed reply is cut where it was told");
        LAW(span_index(buf_all(&text), '\n') == -1, "a printed reply is one line");
        buf_free(&text);
        in = span_drop(in, used);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span in = span_of(data, n), all;
    unsigned flags = fuzz_u8(&in), cuts = fuzz_u16(&in);
    size_t count = 1 + flags % RCPTS_MAX;
    char *sender = span_dup(fuzz_line(&in)), *rcpts[RCPTS_MAX];
    const struct smtp_client_job job = {
        .helo = "mail.example.com",
        .may_tls = flags & 64,
        .sender = sender,
        .rcpts = (const char *const *)rcpts,
        .n = count,
        .size = sizeof(message) - 1,
        .is_8bit = flags & 128,
    };
    struct buf whole, pieces;

    for (size_t i = 0; i < count; i++)
        rcpts[i] = span_dup(fuzz_line(&in));
    all = fuzz_heap(in);
    check_replies(all);
    play(&job, cuts, true, in, &whole);
    play(&job, cuts, false, in, &pieces);
    fuzz_same(buf_all(&whole), buf_all(&pieces), "split law: SMTP client");
    buf_free(&whole);
    buf_free(&pieces);
    for (size_t i = 0; i < count; i++)
        free(rcpts[i]);
    free(sender);
    fuzz_heap_free(all);
    return 0;
}
