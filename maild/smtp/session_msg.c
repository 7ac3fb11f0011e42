/* SPDX-License-Identifier: ISC */
/* maild/smtp/session_msg.c - the message itself: its octets, and what is checked when the
 * lone dot has come.
 *
 * Checks, in this order: line ends and size (maild/smtp/data.h), hops, and for a submission
 * that the one From field names only addresses of the login. A defect of the header alone is
 * no reason to refuse mail from outside (RFC 5321 3.3). */
#include <assert.h>

#include "base/msg/address.h"
#include "base/msg/header.h"
#include "maild/smtp/session_int.h"

/* The idle time begins anew when the message has grown by this much: one octet a minute is
 * not progress. */
#define PROGRESS_OCTETS 4096
#define FROM_MAX        20
#define FROM_ARENA_MAX  (1024u * 1024u)

void session_data_begin(struct smtp_session *s)
{
    session_say(s, REPLY_DATA);
    s->phase = SMTP_PH_DATA;
    s->data_mark = 0;
    s->head_done = false;
    smtp_data_begin(&s->data, s->policy->size_max);
}

/* Keep the header, as far as it fits. */
static void gather_head(struct smtp_session *s, struct span body)
{
    const struct span end = SPAN_LIT("\r\n\r\n");
    size_t from = s->head.len < 3 ? 0 : s->head.len - 3;
    struct span fresh;
    ptrdiff_t at;
    int rc;

    if (s->head_done)
        return;
    rc = buf_span(&s->head, span_take(body, s->head.max - s->head.len));
    assert(rc == 0);
    (void)rc;
    fresh = span_drop(buf_all(&s->head), from);
    at = span_find(fresh, end);
    if (span_starts(buf_all(&s->head), SPAN_LIT("\r\n"))) {
        s->head_done = true;
        buf_truncate(&s->head, 2);
    } else if (at >= 0) {
        s->head_done = true;
        buf_truncate(&s->head, from + (size_t)at + end.n);
    }
}

void session_refuse_message(struct smtp_session *s, enum smtp_reply_id id)
{
    session_decide(s, "data", "", id);
    s->reset_due = true;
    s->step.act = SMTP_ACT_DROP;
}

static void ask_acceptance(struct smtp_session *s)
{
    session_wait(s, SMTP_WAIT_ACCEPT, SMTP_ACT_ACCEPT);
}

enum from_result { FROM_ASK, FROM_DONE, FROM_UNREADABLE };

/* Put the next address of From that still needs a look into s->ask. */
static enum from_result next_from(struct smtp_session *s, const struct address_list *list)
{
    size_t seen = 0;

    for (size_t i = 0; i < list->n; i++) {
        const struct address *a = &list->v[i];
        struct buf text;
        bool is_ok;

        if (a->kind != ADDRESS_MAILBOX || seen++ < s->from_next)
            continue;
        s->from_next++;
        buf_init(&text, SMTP_ADDRESS_MAX);
        is_ok = mailbox_print_parts(a->local, a->domain, &text) == 0 &&
                span_copy(buf_all(&text), s->ask, sizeof(s->ask));
        buf_free(&text);
        if (!is_ok)
            return FROM_UNREADABLE;
        if (!span_eq_str(span_str(s->ask), s->sender)) /* MAIL has settled that one */
            return FROM_ASK;
    }
    return seen == 0 || seen > FROM_MAX ? FROM_UNREADABLE : FROM_DONE;
}

void session_check_from(struct smtp_session *s)
{
    struct arena *a = arena_new(FROM_ARENA_MAX);
    struct header_field from;
    struct address_list list;

    if (header_count(buf_all(&s->head), "From") != 1 ||
        !header_find(buf_all(&s->head), "From", &from)) {
        session_refuse_message(s, REPLY_FROM_MISSING);
        goto out;
    }
    address_list_parse(from.value, a, &list);
    if (!list.is_clean || list.n > FROM_MAX) {
        session_refuse_message(s, REPLY_FROM_BAD);
        goto out;
    }
    switch (next_from(s, &list)) {
    case FROM_ASK:
        session_wait(s, SMTP_WAIT_FROM, SMTP_ACT_ASK_SENDER);
        break;
    case FROM_DONE:
        ask_acceptance(s);
        break;
    case FROM_UNREADABLE:
        session_refuse_message(s, REPLY_FROM_BAD);
        break;
    }
out:
    arena_free(&a);
}

static void end_of_message(struct smtp_session *s)
{
    switch (s->data.fault) {
    case SMTP_DATA_GOOD:
        break;
    case SMTP_DATA_TOO_BIG:
        session_refuse_message(s, REPLY_TOO_BIG);
        return;
    case SMTP_DATA_BARE_CR:
    case SMTP_DATA_BARE_LF:
        /* Whoever sends these may see other ends of messages than we do: stop talking. */
        session_decide(s, "data", "",
                       s->data.fault == SMTP_DATA_BARE_CR ? REPLY_BARE_CR
                                                          : REPLY_BARE_LF);
        s->phase = SMTP_PH_CLOSED;
        s->step.act = SMTP_ACT_CLOSE;
        return;
    }
    if (header_count(buf_all(&s->head), "Received") > s->policy->hops_max) {
        session_refuse_message(s, REPLY_HOPS);
    } else if (!s->policy->is_submission) {
        ask_acceptance(s);
    } else if (!s->head_done && s->head.len == s->head.max) {
        session_refuse_message(s, REPLY_HEADER_BIG);
    } else {
        s->from_next = 0;
        session_check_from(s);
    }
}

bool session_data_octets(struct smtp_session *s, struct span in)
{
    struct smtp_step *step = &s->step;
    enum smtp_data_result r;

    buf_reset(&s->chunk);
    if (buf_reserve(&s->chunk, SMTP_FEED_MAX + 2) == -1)
        assert(!"the chunk is as large as what is fed");
    r = smtp_data_feed(&s->data, span_take(in, SMTP_FEED_MAX), &step->used, &s->chunk);
    step->body = buf_all(&s->chunk);
    gather_head(s, step->body);
    switch (r) {
    case SMTP_DATA_END:
        end_of_message(s);
        return true;
    case SMTP_DATA_ABORT:
        session_decide(s, "data", "",
                       s->data.fault == SMTP_DATA_TOO_BIG ? REPLY_TOO_BIG
                                                          : REPLY_BARE_LF);
        s->phase = SMTP_PH_CLOSED;
        step->act = SMTP_ACT_CLOSE;
        return false;
    case SMTP_DATA_MORE:
        break;
    }
    s->data_mark += step->used;
    if (s->data_mark < PROGRESS_OCTETS)
        return false;
    s->data_mark = 0;
    return true;
}
