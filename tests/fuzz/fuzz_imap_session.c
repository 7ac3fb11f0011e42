/* SPDX-License-Identifier: ISC */
/* A whole IMAP session: what the client sends, in one piece and in pieces; commands are
 * "executed" by a driver that writes down all of them (maild/imap/session.h, collect.h).
 *
 * Input: one octet of configuration, two for the cuts, then what the client sends. */
#include <stdlib.h>

#include "base/core/mem.h"
#include "maild/imap/session.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/imap_note.h"

struct world {
    struct imap_session s;
    struct buf log, out, octets;
    uint64_t due; /* octets of the message under way */
    bool is_closed;
};

static void check_output(struct world *w)
{
    struct span all = buf_all(&w->out), line;

    if (all.n > 0)
        fuzz_note_span(&w->log, "out", all);
    while (all.n > 0) {
        LAW(span_cut(all, '\n', &line, &all) && line.n > 0 && line.p[line.n - 1] == '\r',
            "responses end with CRLF");
        LAW(fuzz_is_plain(span_take(line, line.n - 1)), "responses are plain text");
    }
    buf_reset(&w->out);
}

/* Answer a command as the mailbox role would, so that all states are visited. */
static void execute(struct world *w)
{
    struct imap_session *s = &w->s;

    imap_note_cmd(&w->log, &s->cmd, s->verb);
    LAW((s->verb->states & s->state) != 0, "a command is only run in its states");
    LAW(!s->cmd.is_name_bad && !s->cmd.is_charset_bad, "what cannot be is not run");
    switch (s->cmd.op) {
    case IMAP_OP_LOGIN:
    case IMAP_OP_AUTHENTICATE:
        LAW(s->cfg.is_login_allowed, "no password without TLS");
        imap_session_set_state(s, IMAP_STATE_AUTH);
        break;
    case IMAP_OP_SELECT:
    case IMAP_OP_EXAMINE:
        imap_session_set_state(s, IMAP_STATE_SELECTED);
        break;
    case IMAP_OP_CLOSE:
    case IMAP_OP_UNSELECT:
        imap_session_set_state(s, IMAP_STATE_AUTH);
        break;
    default:
        break;
    }
    if (!imap_session_is_idle(s)) {
        LAW(imap_session_is_busy(s), "a command that runs keeps the machine busy");
        imap_session_done(s);
    }
}

static void begin_message(struct world *w)
{
    LAW(w->s.append.size > 0 && w->s.append.size <= w->s.cfg.append_max,
        "a message is within the limit");
    fuzz_note(&w->log, "append %llu date %d %lld flags %x\n",
              (unsigned long long)w->s.append.size, w->s.append.has_date,
              (long long)w->s.append.date_s, w->s.append.flags.system);
    fuzz_note_span(&w->log, "to", w->s.append.mailbox);
    w->due = w->s.append.size;
    buf_reset(&w->octets);
}

static void take_octets(struct world *w)
{
    LAW(w->s.octets.n <= w->due, "a message has the octets that were announced");
    w->due -= w->s.octets.n;
    LAW(w->s.is_last == (w->due == 0), "its end is told");
    LAW(buf_span(&w->octets, w->s.octets) == 0, "octets come from the input");
    if (w->s.is_last)
        fuzz_note_span(&w->log, "message", buf_all(&w->octets));
}

static void obey(struct world *w, enum imap_do todo)
{
    check_output(w);
    switch (todo) {
    case IMAP_DO_MORE:
        break;
    case IMAP_DO_RUN:
        execute(w);
        break;
    case IMAP_DO_IDLE_END:
        fuzz_note(&w->log, "idle end\n");
        fuzz_note_span(&w->log, "tag", w->s.cmd.tag);
        imap_session_done(&w->s);
        break;
    case IMAP_DO_APPEND:
        begin_message(w);
        break;
    case IMAP_DO_OCTETS:
        take_octets(w);
        break;
    case IMAP_DO_APPEND_END:
        fuzz_note(&w->log, "append end\n");
        break;
    case IMAP_DO_STARTTLS:
        LAW(w->s.cfg.is_starttls_offered, "TLS begins when it is offered");
        fuzz_note(&w->log, "starttls\n");
        break;
    case IMAP_DO_CLOSE:
        w->is_closed = true;
        break;
    }
}

static void feed(struct world *w, struct span octets)
{
    struct span in = fuzz_heap(octets);
    size_t at = 0, used = 0, rounds = 0;
    enum imap_do todo;

    do {
        todo = imap_session_input(&w->s, span_drop(in, at), &used, &w->out);
        LAW(used <= in.n - at, "no more is taken than was given");
        at += used;
        obey(w, todo);
        LAW(++rounds <= 4 * in.n + 8, "the machine makes progress");
    } while (!w->is_closed && (used > 0 || todo != IMAP_DO_MORE));
    LAW(w->is_closed || at == in.n, "everything is taken, or the session ends");
    LAW(collect_text(&w->s.collect).n <= COLLECT_MAX, "a command is bounded");
    fuzz_heap_free(in);
}

static void play(unsigned how, unsigned cuts, bool is_whole, struct span text,
                 struct buf *log)
{
    static const enum imap_state states[] = {IMAP_STATE_GREETED, IMAP_STATE_AUTH,
                                             IMAP_STATE_SELECTED, IMAP_STATE_SELECTED};
    const struct imap_session_config cfg = {
        .capabilities = "IMAP4rev1",
        .append_max = how & 4 ? 20 : 100000,
        .bad_max = 10,
        .is_login_allowed = how & 8,
        .is_starttls_offered = how & 16,
    };
    struct world *w = mem_new(1, sizeof(*w));
    struct fuzz_cuts c;

    fuzz_cuts_init(&c, cuts);
    buf_init(&w->log, FUZZ_LOG_MAX);
    buf_init(&w->out, 64u * 1024u);
    buf_init(&w->octets, text.n + 1);
    imap_session_init(&w->s, &cfg, states[how & 3]);
    while (text.n > 0 && !w->is_closed) {
        size_t n = is_whole ? text.n : fuzz_cut(&c, text.n);

        feed(w, span_take(text, n));
        text = span_drop(text, n);
    }
    *log = w->log;
    imap_session_free(&w->s);
    buf_free(&w->out);
    buf_free(&w->octets);
    free(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span in = span_of(data, n);
    unsigned how = fuzz_u8(&in), cuts = fuzz_u16(&in);
    struct buf whole, pieces;

    play(how, cuts, true, in, &whole);
    play(how, cuts, false, in, &pieces);
    fuzz_same(buf_all(&whole), buf_all(&pieces), "split law: IMAP session");
    buf_free(&whole);
    buf_free(&pieces);
    return 0;
}
