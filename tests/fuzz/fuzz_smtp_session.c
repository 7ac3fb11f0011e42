/* SPDX-License-Identifier: ISC */
/* A whole session of the server: what the client says, what other roles answer, in one piece
 * and in pieces (maild/smtp/session.h, sasl.h, data.h, facts.h).
 *
 * Input: one octet of policy, two for the cuts, four for the answers, then what the client
 * says. The answers are drawn from a seeded source in the order of the questions, so they are
 * the same in both runs. */
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/core/mem.h"
#include "maild/smtp/facts.h"
#include "maild/smtp/session.h"
#include "tests/fuzz/fuzz.h"

#define NOW_MS       1000
#define COMMANDS_MAX 400

struct world {
    struct smtp_policy policy;
    struct smtp_session s;
    struct rng answers;
    struct buf log, body, waiting;
    bool is_closed;
};

static void check_reply(struct span line)
{
    LAW(line.n >= 3 && line.n <= 510, "a reply line has 512 octets at most");
    LAW(line.p[0] >= '2' && line.p[0] <= '5' && ascii_is_digit(line.p[1]) &&
            ascii_is_digit(line.p[2]) &&
            (line.n == 3 || line.p[3] == ' ' || line.p[3] == '-'),
        "a reply begins with its code");
    LAW(fuzz_is_plain(line), "a reply is plain text");
}

static void drain(struct world *w)
{
    struct span out = smtp_session_output(&w->s), line;

    if (out.n > 0)
        fuzz_note_span(&w->log, "out", out);
    while (out.n > 0) {
        LAW(span_cut(out, '\n', &line, &out), "replies end with a line end");
        LAW(line.n > 0 && line.p[line.n - 1] == '\r', "replies end with CRLF");
        check_reply(span_take(line, line.n - 1));
    }
    smtp_session_sent(&w->s);
}

/* The size of a message that is refused before its end depends on the cuts, so only accepted
 * ones are compared. */
static void check_facts(struct world *w, bool is_noted)
{
    const struct smtp_peer_facts peer = {"smtp", "192.0.2.1", w->s.helo, "none", NULL};
    struct buf text;
    json_error_t e;
    json_t *j;

    buf_init(&text, FACTS_MAX);
    if (facts_print(&w->s, &peer, &text) == 0) {
        j = json_loadb((const char *)text.data, text.len, 0, &e);
        LAW(j != NULL, "facts are JSON");
        json_decref(j);
        if (is_noted)
            fuzz_note_span(&w->log, "facts", buf_all(&text));
    }
    buf_free(&text);
}

static const struct smtp_step *answer_rcpt(struct world *w)
{
    struct envelope_rcpt t[8];
    char address[8][64];
    size_t n = rng_below(&w->answers, 8);
    unsigned v = (unsigned)rng_below(&w->answers, 16);

    LAW(fuzz_is_plain(span_str(w->s.ask)), "what is asked is plain text");
    fuzz_note(&w->log, "ask rcpt %s\n", w->s.ask);
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(address[i], sizeof(address[i]), "user%u@example.com",
                       (unsigned)rng_below(&w->answers, 50));
        t[i] = (struct envelope_rcpt){RCPT_LOCAL, i, address[i], NULL};
    }
    if (v > SMTP_RCPT_LATER || n == 0)
        v = n == 0 ? SMTP_RCPT_UNKNOWN : SMTP_RCPT_YES;
    return smtp_session_rcpt(&w->s, (enum smtp_rcpt_verdict)v, t, n, NOW_MS);
}

static enum smtp_answer yes_mostly(struct world *w)
{
    uint64_t v = rng_below(&w->answers, 6);

    return v == 0 ? SMTP_NO : v == 1 ? SMTP_LATER : SMTP_YES;
}

static const struct smtp_step *answer_accept(struct world *w)
{
    static const char *const text[] = {"2.0.0 taken", "4.3.0 later", "5.7.1 never"};
    uint64_t v = rng_below(&w->answers, 5);

    LAW(w->s.n_rcpts > 0 && w->s.n_rcpts <= ENVELOPE_RCPTS_MAX && w->s.given > 0 &&
            w->s.given <= w->policy.recipients_max,
        "a message has recipients, and no more than allowed");
    LAW(w->body.len <= w->policy.size_max && w->body.len == w->s.data.size,
        "a message has the size that is told, within the limit");
    LAW(!w->policy.is_submission || w->s.account != 0, "no submission without a login");
    for (size_t i = 0; i < w->body.len; i++)
        LAW(w->body.data[i] != '\n' || (i > 0 && w->body.data[i - 1] == '\r'),
            "no bare line feed is accepted");
    fuzz_note(&w->log, "accept from %s for %zu 8bit %d %s\n", w->s.sender, w->s.n_rcpts,
              smtp_session_is_8bit(&w->s), smtp_session_protocol(&w->s));
    fuzz_note_span(&w->log, "body", buf_all(&w->body));
    check_facts(w, true);
    buf_reset(&w->body);
    return smtp_session_accepted(&w->s,
                                 v < 3    ? 250
                                 : v == 3 ? 451
                                          : 554,
                                 text[v < 3 ? 0 : v - 2], NOW_MS);
}

static const struct smtp_step *answer(struct world *w, enum smtp_act act)
{
    switch (act) {
    case SMTP_ACT_ASK_RCPT:
        return answer_rcpt(w);
    case SMTP_ACT_ASK_AUTH:
        LAW(w->s.is_tls || w->policy.allow_cleartext_auth, "no password without TLS");
        fuzz_note(&w->log, "ask auth %s %s\n", w->s.sasl.login, w->s.sasl.password);
        return smtp_session_auth(&w->s, yes_mostly(w), 7, "anna@example.com", NOW_MS);
    case SMTP_ACT_ASK_SENDER:
        fuzz_note(&w->log, "ask sender %s\n", w->s.ask);
        return smtp_session_sender(&w->s, yes_mostly(w), NOW_MS);
    case SMTP_ACT_START_TLS:
        LAW(!w->s.is_tls && w->policy.has_tls, "TLS begins once, when offered");
        fuzz_note(&w->log, "tls\n");
        return smtp_session_tls(&w->s, NOW_MS);
    case SMTP_ACT_ACCEPT:
        return answer_accept(w);
    case SMTP_ACT_NONE:
    case SMTP_ACT_MORE:
    case SMTP_ACT_DROP:
    case SMTP_ACT_CLOSE:
        break;
    }
    return NULL;
}

/* Do what the step says; true when the machine may go on with what input is left. */
static bool act(struct world *w, const struct smtp_step *step)
{
    for (;;) {
        enum smtp_act what = step->act;

        LAW(step->used <= w->waiting.len, "no more is taken than was given");
        LAW(w->s.head.len <= SMTP_HEAD_MAX && step->body.n <= SMTP_FEED_MAX + 2,
            "a message costs little memory");
        LAW(buf_span(&w->body, step->body) == 0,
            "a message is no longer than its octets");
        buf_drop(&w->waiting, step->used);
        if (step->verdict.is_set)
            fuzz_note(&w->log, "verdict %s|%s|%s\n", step->verdict.sender,
                      step->verdict.rcpt, step->verdict.reply);
        drain(w);
        if (what == SMTP_ACT_DROP) {
            fuzz_note(&w->log, "drop\n");
            check_facts(w, false);
            buf_reset(&w->body);
        }
        w->is_closed = what == SMTP_ACT_CLOSE;
        if (what == SMTP_ACT_NONE || what == SMTP_ACT_DROP)
            return true;
        if (what == SMTP_ACT_MORE || what == SMTP_ACT_CLOSE)
            return false;
        step = answer(w, what);
    }
}

static void feed(struct world *w, struct span octets)
{
    size_t rounds = 0;
    bool goes_on = true;

    LAW(buf_span(&w->waiting, octets) == 0, "what waits is bounded by the input");
    while (goes_on && !w->is_closed && w->waiting.len > 0) {
        struct span in = fuzz_heap(buf_all(&w->waiting));

        goes_on = act(w, smtp_session_step(&w->s, in, NOW_MS));
        fuzz_heap_free(in);
        LAW(++rounds <= 2 * octets.n + 8, "the machine makes progress");
    }
    LAW(w->is_closed || w->waiting.len <= SASL_LINE_MAX, "12 KiB are the longest line");
}

static void play(unsigned policy, uint32_t answers, unsigned cuts, bool is_whole,
                 struct span text, struct buf *log)
{
    struct world *w = mem_new(1, sizeof(*w));
    struct fuzz_cuts c;

    w->policy = (struct smtp_policy){
        .hostname = "mail.example.com",
        .is_submission = policy & 1,
        .has_tls = policy & 2,
        .allow_cleartext_auth = policy & 4,
        .size_max = policy & 8 ? 200 : 1000000,
        .recipients_max = policy & 16 ? 2 : 100,
        .hops_max = 5,
        .errors_max = 20,
        .auth_failures_max = 3,
        .commands_max = COMMANDS_MAX,
        .messages_max = 5,
        .idle_ms = 300000,
        .total_ms = 3600000,
    };
    rng_seeded_init(&w->answers, answers);
    fuzz_cuts_init(&c, cuts);
    buf_init(&w->log, FUZZ_LOG_MAX);
    buf_init(&w->body, text.n + 2);
    buf_init(&w->waiting, text.n + 1);
    smtp_session_init(&w->s, &w->policy, policy & 32, NOW_MS);
    (void)act(w, smtp_session_greet(&w->s, (policy & 0xc0) == 0xc0, NOW_MS));
    while (text.n > 0 && !w->is_closed) {
        size_t n = is_whole ? text.n : fuzz_cut(&c, text.n);

        feed(w, span_take(text, n));
        text = span_drop(text, n);
    }
    if (!w->is_closed)
        (void)act(w, policy & 64 ? smtp_session_stop(&w->s)
                                 : smtp_session_timeout(&w->s, NOW_MS * 1000));
    LAW(w->is_closed, "time and stop end a session");
    check_facts(w, false);
    *log = w->log;
    smtp_session_free(&w->s);
    buf_free(&w->body);
    buf_free(&w->waiting);
    free(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span in = span_of(data, n);
    unsigned policy = fuzz_u8(&in), cuts = fuzz_u16(&in);
    uint32_t answers = fuzz_u32(&in);
    struct buf whole, pieces;

    play(policy, answers, cuts, true, in, &whole);
    play(policy, answers, cuts, false, in, &pieces);
    fuzz_same(buf_all(&whole), buf_all(&pieces), "split law: SMTP session");
    buf_free(&whole);
    buf_free(&pieces);
    return 0;
}
