/* SPDX-License-Identifier: ISC */
/* maild/queue/accept.c - taking responsibility for a message.
 *
 *     ACCEPT --> [prepare: header completed, body hashed] --> [SIGN] --> journal --> 250
 *                 submissions and our own reports only                    |
 *                 large body: named and synced as a blob first -----------+
 *
 * Invariants:
 *  1. Every ACCEPT is answered exactly once while its channel lives; 250 only after the
 *     journal said "durable".
 *  2. A stranger's message gets the trace fields in front and is otherwise not touched.
 *  3. What is held in memory is bounded, on its way to the journal by ACCEPT_OCTETS_MAX and on
 *     its way to its file by WAITING_OCTETS_MAX; beyond: 451.
 *  4. When edge dies, what it asked for and is not in the journal yet is dropped: nobody was
 *     promised anything, and the client sends it again.
 *  5. A signer that dies is waited for, SIGNER_AWAY_MS at most.
 *
 * Over 500 lines because struct acceptance is nobody else's. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/core/mem.h"
#include "deliverability/canon.h"
#include "maild/queue/jrec.h"
#include "maild/queue/prepare.h"
#include "maild/queue/queue_int.h"

#define ACCEPT_OCTETS_MAX  (64u * 1024u * 1024u)
#define WAITING_OCTETS_MAX (128u * 1024u * 1024u)
#define ACCEPT_MAX         4096u
#define FRONT_MAX          (128u * 1024u)
#define SIGN_MS            10000
#define SIGNER_AWAY_MS     10000
#define CHUNK              (64u * 1024u)

struct acceptance {
    struct list link;
    struct queue *q;
    struct ipc *ch; /* NULL: our own */
    uint64_t call;
    accept_own_fn own_fn;
    void *own_ctx;

    struct qmsg *m;
    struct buf trace, facts, body, reported;
    size_t counted; /* octets in q->accepting_octets */
    uint64_t body_size;
    int fd; /* of a large body, else -1 */

    /* filled by the jobs */
    enum prepare_result prepared;
    struct buf header; /* the new one */
    size_t skip;       /* octets of the body it replaces */
    char from[PREPARE_DOMAIN_MAX + 1];
    uint8_t hash[32];
    int64_t now_s;
    bool has_failed;
    struct err err;

    struct buf front; /* what comes before the rest of the body */
    bool is_orphan;   /* the edge that asked is gone */
    bool is_unsigned; /* waits for the signer's return, until: */
    int64_t unsigned_until_ms;
};

static void acceptance_free(struct acceptance *a)
{
    list_remove(&a->link);
    a->q->accepting--;
    a->q->accepting_octets -= a->counted;
    buf_free(&a->trace);
    buf_free(&a->facts);
    buf_free(&a->body);
    buf_free(&a->reported);
    buf_free(&a->header);
    buf_free(&a->front);
    if (a->fd != -1)
        (void)close(a->fd);
    qmsg_free(&a->m);
    free(a);
}

static void reply(struct queue *q, struct ipc *ch, uint64_t call, uint16_t code,
                  const char *text)
{
    const struct m_accept_result r = {.code = code, .text = span_str(text)};
    struct buf payload;
    struct wr w;

    buf_init(&payload, 1024);
    wr_init(&w, &payload);
    m_accept_result_encode(&r, &w);
    /* Nobody to tell: the client has gone, or will time out and send again. */
    if (!w.is_bad && ipc_reply(ch, call, IPC_ACCEPT_RESULT, buf_all(&payload), -1) == -1)
        log_event(q->log, LOG_IPC_FULL, LOGF_S("to", "edge"));
    buf_free(&payload);
}

/* Not taken. Ends the acceptance. */
static void refuse(struct acceptance *a, uint16_t code, const char *text)
{
    struct queue *q = a->q;
    char id[MSGID_TEXT + 1];

    msgid_print(&a->m->id, id);
    q->count.refused++;
    log_event(q->log, LOG_QUEUE_REFUSED, LOGF_S("mid", id), LOGF_N("code", code),
              LOGF_S("text", text), LOGF_S("error", a->has_failed ? a->err.text : ""));
    if (a->m->is_file_made) /* a large body that may have its name already */
        spool_remove_blob(q, &a->m->id);
    if (a->ch != NULL)
        reply(q, a->ch, a->call, code, text);
    if (a->own_fn != NULL)
        a->own_fn(a->own_ctx, false);
    acceptance_free(a);
}

static void refuse_for(struct acceptance *a, const struct err *err)
{
    a->has_failed = true;
    if (err != &a->err)
        a->err = *err;
    if (err->sys == ENOSPC || err->sys == EDQUOT)
        refuse(a, 452, "4.3.1 the disk is full; nothing was lost, try again later");
    else
        refuse(a, 451, "4.3.0 the message could not be stored; try again later");
}

/* Last step ------------------------------------------------------------------------------ */

static void journal_done(void *ctx, const struct err *err)
{
    struct acceptance *a = ctx;
    struct queue *q = a->q;
    struct qmsg *m = a->m;
    char id[MSGID_TEXT + 1], text[64];

    if (err != NULL) {
        refuse_for(a, err);
        return;
    }
    a->m = NULL;
    msgid_print(&m->id, id);
    (void)snprintf(text, sizeof(text), "2.0.0 queued as %s", id);
    if (a->ch != NULL)
        reply(q, a->ch, a->call, 250, text);
    q->count.accepted++;
    log_event(q->log, LOG_QUEUE_ACCEPTED, LOGF_S("mid", id),
              LOGF_S("from", m->env->e.sender),
              LOGF_S("rcpt", m->env->e.rcpts[0].original),
              LOGF_N("recipients", m->env->e.n), LOGF_N("size", m->size));
    if (a->own_fn != NULL)
        a->own_fn(a->own_ctx, true);
    spool_take(q, m);
    acceptance_free(a);
}

static void write_journal(struct acceptance *a)
{
    struct qmsg *m = a->m;
    const struct jrec_accept rec = {
        .is_in_blob = m->is_file_made,
        .offset = m->offset,
        .size = m->size,
        .envelope = buf_all(&m->env->encoded),
        .facts = buf_all(&a->facts),
        .reported = buf_all(&a->reported),
    };
    struct span parts[2];
    struct buf head;

    if (a->is_orphan) {
        refuse(a, 451, "4.3.0 the session ended before the message was stored");
        return;
    }
    buf_init(&head, RECORD_PAYLOAD_MAX);
    if (jrec_accept_encode(&rec, &head) == -1) {
        buf_free(&head);
        refuse(a, 554, "5.3.0 the envelope is too large");
        return;
    }
    parts[0] = buf_all(&head);
    parts[1] = buf_all(&m->body);
    m->facts = span_dup(buf_all(&a->facts));
    if (journal_append(a->q->journal, JREC_ACCEPT, parts, 2, journal_done, a) == -1)
        refuse(a, 451, "4.3.2 too much mail at once; try again later");
    buf_free(&head);
}

/* A large body: its file becomes the blob. */
static void adopt_work(void *ctx)
{
    struct acceptance *a = ctx;
    struct blob_head h = {.id = a->m->id,
                          .accepted_s = a->m->env->e.accepted_s,
                          .envelope = buf_all(&a->m->env->encoded)};

    a->has_failed = blob_adopt(a->q->blobs, a->fd, &h, buf_all(&a->front), a->skip,
                               a->body_size, &a->err) == -1;
    a->m->offset = h.offset;
    a->m->size = h.size;
}

static void adopt_done(void *ctx)
{
    struct acceptance *a = ctx;

    a->m->is_file_made = a->m->is_synced = true;
    if (a->has_failed)
        refuse_for(a, &a->err);
    else
        write_journal(a);
}

/* `front` is complete: put the message together. */
static void store(struct acceptance *a)
{
    struct qmsg *m = a->m;
    struct span rest = span_drop(buf_all(&a->body), a->skip);

    if (a->fd != -1) {
        if (a->q->is_stopping ||
            pool_run(a->q->work_pool, adopt_work, adopt_done, a) == -1)
            refuse(a, 451, "4.3.2 too much mail at once; try again later");
        return;
    }
    m->size = a->front.len + rest.n;
    m->offset = blob_head_size(m->env->encoded.len);
    if (buf_span(&m->body, buf_all(&a->front)) == -1 || buf_span(&m->body, rest) == -1)
        refuse(a, 552, "5.3.4 the header is too large");
    else
        write_journal(a);
}

/* Preparing and signing ------------------------------------------------------------------- */

static void hash_sink(void *ctx, struct span octets)
{
    (void)EVP_DigestUpdate(ctx, octets.p, octets.n);
}

static int hash_file(struct acceptance *a, struct canon_body *c)
{
    uint8_t *chunk = mem_new(1, CHUNK);
    uint64_t at = a->skip;
    int rc = 0;

    while (at < a->body_size) {
        size_t want = a->body_size - at < CHUNK ? (size_t)(a->body_size - at) : CHUNK;
        ssize_t n = pread(a->fd, chunk, want, (off_t)(BLOB_BODY_AT + at));

        if (n <= 0) {
            rc = err_sys(&a->err, "read a large message");
            break;
        }
        canon_body_put(c, span_of(chunk, (size_t)n));
        at += (uint64_t)n;
    }
    free(chunk);
    return rc;
}

static int hash_body(struct acceptance *a)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    struct canon_body c;
    unsigned n = sizeof(a->hash);
    int rc = -1;

    if (md == NULL || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1) {
        err_set(&a->err, "SHA-256 is not available");
        goto out;
    }
    canon_body_begin(&c, CANON_RELAXED, hash_sink, md);
    if (a->fd == -1)
        canon_body_put(&c, span_drop(buf_all(&a->body), a->skip));
    else if (hash_file(a, &c) == -1)
        goto out;
    canon_body_end(&c);
    rc =
        EVP_DigestFinal_ex(md, a->hash, &n) == 1 ? 0 : err_set(&a->err, "SHA-256 failed");
out:
    EVP_MD_CTX_free(md);
    return rc;
}

static void prepare_work(void *ctx)
{
    struct acceptance *a = ctx;
    struct buf head;
    struct span octets = buf_all(&a->body);

    buf_init(&head, PREPARE_HEADER_MAX + 1);
    if (a->fd != -1) {
        size_t want = a->body_size < head.max ? (size_t)a->body_size : head.max;
        ssize_t n = -1;

        if (buf_reserve(&head, want) == 0)
            n = pread(a->fd, head.data, want, BLOB_BODY_AT);
        if (n < 0) {
            err_sys(&a->err, "read a large message");
            a->has_failed = true;
            goto out;
        }
        head.len = (size_t)n;
        octets = buf_all(&head);
    }
    a->prepared = prepare_header(octets, a->now_s, &a->m->id, a->q->hostname, &a->header,
                                 &a->skip, a->from);
    if (a->prepared == PREPARE_OK)
        a->has_failed = hash_body(a) == -1;
out:
    buf_free(&head);
}

/* Signature fields, trace, header: in this order from the top. */
static void make_front(struct acceptance *a, struct span signatures)
{
    if (buf_span(&a->front, signatures) == -1 ||
        buf_span(&a->front, buf_all(&a->trace)) == -1 ||
        buf_span(&a->front, buf_all(&a->header)) == -1)
        refuse(a, 552, "5.3.4 the header is too large");
    else
        store(a);
}

static void not_signed(struct acceptance *a)
{
    /* A report without signature is better than none. */
    if (a->ch == NULL)
        make_front(a, span_of(NULL, 0));
    else
        refuse(a, 451, "4.7.0 the message cannot be signed now; try again later");
}

static void await_signer(struct acceptance *a)
{
    int64_t now_ms = clock_mono_ms(a->q->env->clock);

    if (a->unsigned_until_ms == 0)
        a->unsigned_until_ms = now_ms + SIGNER_AWAY_MS;
    a->is_unsigned = true;
}

static void sign_answer(void *ctx, const struct ipc_in *in)
{
    struct acceptance *a = ctx;
    struct m_sign_result r;

    if (in == NULL && !ipc_is_up(role_peer(a->q->env, ROLE_SIGNER, 0)))
        await_signer(a);
    else if (in == NULL || !m_sign_result_decode(in->payload, &r) ||
             r.status == ANSWER_LATER)
        not_signed(a);
    else
        make_front(a, r.fields);
}

static void ask_signer(struct acceptance *a)
{
    const struct m_sign s = {.id = a->m->id,
                             .domain = span_str(a->from),
                             .header = buf_all(&a->header),
                             .body_hash = span_of(a->hash, sizeof(a->hash))};
    struct ipc *signer = role_peer(a->q->env, ROLE_SIGNER, 0);
    struct buf payload;
    struct wr w;

    if (!ipc_is_up(signer)) {
        await_signer(a);
        return;
    }
    buf_init(&payload, IPC_FRAME_MAX);
    wr_init(&w, &payload);
    m_sign_encode(&s, &w);
    if (w.is_bad) /* a From domain that is no text: nobody has a key for it */
        make_front(a, span_of(NULL, 0));
    else
        (void)ipc_call(signer, IPC_SIGN, buf_all(&payload), -1, SIGN_MS, sign_answer, a);
    buf_free(&payload);
}

/* Call `fn` for those that wait for the signer; it may end them. */
static void each_unsigned(struct queue *q, void (*fn)(struct acceptance *a))
{
    struct list *next;

    for (struct list *it = q->acceptances.next; it != &q->acceptances; it = next) {
        struct acceptance *a = LIST_ENTRY(it, struct acceptance, link);

        next = it->next;
        if (a->is_unsigned)
            fn(a);
    }
}

static void ask_again(struct acceptance *a)
{
    a->is_unsigned = false;
    ask_signer(a);
}

void accept_signer(struct queue *q)
{
    each_unsigned(q, ask_again);
}

static void await_no_longer(struct acceptance *a)
{
    if (a->unsigned_until_ms > clock_mono_ms(a->q->env->clock))
        return;
    a->is_unsigned = false;
    not_signed(a);
}

void accept_tick(struct queue *q)
{
    each_unsigned(q, await_no_longer);
}

void accept_orphan(struct queue *q, const struct ipc *edge)
{
    LIST_EACH (it, &q->acceptances) {
        struct acceptance *a = LIST_ENTRY(it, struct acceptance, link);

        if (a->ch == edge)
            a->is_orphan = true;
    }
}

static void prepare_done(void *ctx)
{
    struct acceptance *a = ctx;

    if (a->has_failed) {
        refuse_for(a, &a->err);
        return;
    }
    switch (a->prepared) {
    case PREPARE_TOO_LONG:
        refuse(a, 552, "5.3.4 the header is larger than 60 KiB");
        return;
    case PREPARE_NO_FROM:
        refuse(a, 550, "5.6.0 the message has no From field with an address");
        return;
    case PREPARE_OK:
        break;
    }
    ask_signer(a);
}

/* Entry ---------------------------------------------------------------------------------- */

static struct acceptance *acceptance_new(struct queue *q, struct qmsg *m)
{
    struct acceptance *a = mem_new(1, sizeof(*a));

    a->q = q;
    a->m = m;
    a->fd = -1;
    a->now_s = queue_now(q);
    buf_init(&a->trace, 8192);
    buf_init(&a->facts, 16384);
    buf_init(&a->body, 256u * 1024u);
    buf_init(&a->reported, 65536);
    buf_init(&a->header, PREPARE_HEADER_MAX + 1024);
    buf_init(&a->front, FRONT_MAX);
    list_init(&a->link);
    list_add_tail(&q->acceptances, &a->link);
    q->accepting++;
    return a;
}

void accept_free(struct queue *q)
{
    while (!list_is_empty(&q->acceptances))
        acceptance_free(LIST_ENTRY(q->acceptances.next, struct acceptance, link));
}

/* What is on its way counts like what is here: each 250 needs its place in memory. And when
 * checkpoints fail, the journal must not outgrow what the next start can replay. */
static bool is_room(const struct queue *q)
{
    return q->accepting <= ACCEPT_MAX && q->accepting_octets <= ACCEPT_OCTETS_MAX &&
           q->waiting_octets <= WAITING_OCTETS_MAX &&
           map_count(q->messages) + q->accepting <= q->ceiling.messages &&
           journal_unreleased(q->journal) <= q->ceiling.journal_octets;
}

static void begin(struct acceptance *a)
{
    struct queue *q = a->q;

    a->counted = a->body.len;
    q->accepting_octets += a->counted;
    if (q->is_disk_full)
        refuse(a, 452, "4.3.1 the disk is full; nothing was lost, try again later");
    else if (q->is_stopping || !is_room(q))
        refuse(a, 451, "4.3.2 too much mail at once; try again later");
    else if (queue_find(q, &a->m->id) != NULL)
        refuse(a, 451, "4.3.0 this message is here already");
    else if (a->m->env->e.via != VIA_SUBMISSION && a->m->env->e.via != VIA_BOUNCE)
        make_front(a, span_of(NULL, 0));
    else if (pool_run(q->work_pool, prepare_work, prepare_done, a) == -1)
        refuse(a, 451, "4.3.2 too much mail at once; try again later");
}

void accept_message(struct queue *q, struct ipc *ch, const struct ipc_in *in)
{
    struct m_accept msg;
    struct acceptance *a;
    struct qmsg *m = NULL;

    if (!m_accept_decode(in->payload, &msg) || (m = qmsg_new(msg.envelope)) == NULL) {
        log_event(q->log, LOG_IPC_BROKEN, LOGF_S("message", "ACCEPT"));
        if (in->fd != -1)
            (void)close(in->fd);
        reply(q, ch, in->call, 451, "4.3.0 internal error; try again later");
        return;
    }
    a = acceptance_new(q, m);
    a->ch = ch;
    a->call = in->call;
    a->fd = in->fd;
    a->body_size = msg.body_size;
    if (a->fd != -1 && !accept_body_is_from(q, &m->id, ch))
        refuse(a, 451, "4.3.0 the body is not here any more; try again later");
    else if (buf_span(&a->trace, msg.trace) == -1 ||
             buf_span(&a->facts, msg.facts) == -1 || buf_span(&a->body, msg.body) == -1)
        refuse(a, 552, "5.3.4 the message is too large");
    else
        begin(a);
}

void accept_own(struct queue *q, const struct envelope *e, struct span message,
                struct span reported, accept_own_fn fn, void *ctx)
{
    struct acceptance *a;
    struct qmsg *m = NULL;
    struct buf encoded;
    struct wr w;

    buf_init(&encoded, ENVELOPE_OCTETS_MAX);
    wr_init(&w, &encoded);
    envelope_encode(e, &w);
    if (!w.is_bad)
        m = qmsg_new(buf_all(&encoded));
    buf_free(&encoded);
    if (m == NULL) {
        fn(ctx, false);
        return;
    }
    a = acceptance_new(q, m);
    a->own_fn = fn;
    a->own_ctx = ctx;
    a->body_size = message.n;
    if (buf_span(&a->body, message) == -1 || buf_span(&a->reported, reported) == -1)
        refuse(a, 554, "5.3.4 the report is too large");
    else
        begin(a);
}
