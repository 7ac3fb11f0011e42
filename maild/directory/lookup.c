/* SPDX-License-Identifier: ISC */
/* maild/directory/lookup.c - questions to the domain database.
 *
 * Whose an address is comes first (one indexed look-up of the domain), what it means after
 * that: zones/alias.h expands our own addresses, foreign ones go out as they came in. A
 * fault closes the connection, so that the next question starts with a fresh one. */
#include "maild/directory/lookup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/core/mem.h"
#include "base/msg/envelope.h"
#include "zones/alias.h"
#include "zones/domain.h"
#include "zones/host.h"

#define TARGETS_OCTETS_MAX 32768 /* as RCPT_RESULT.targets */

struct lookup {
    char *data_dir;
    char *main_path;
    struct domaindb *db; /* NULL: not open */
    dev_t dev;           /* which file it is */
    ino_t ino;
};

struct lookup *lookup_new(const char *data_dir)
{
    struct lookup *l = mem_new(1, sizeof *l);
    struct buf path;

    buf_init(&path, 8192);
    if (buf_printf(&path, "%s/db/signpost.db", data_dir) != 0)
        abort(); /* conf bounds a path */
    l->data_dir = mem_strdup(data_dir);
    l->main_path = mem_strdup(buf_cstr(&path));
    buf_free(&path);
    return l;
}

void lookup_free(struct lookup **lookup)
{
    struct lookup *l = *lookup;

    if (l == NULL)
        return;
    domaindb_close(&l->db);
    free(l->data_dir);
    free(l->main_path);
    free(l);
    *lookup = NULL;
}

int lookup_check_open(const char *data_dir, struct err *err)
{
    struct domaindb *db = domaindb_open(data_dir, NULL, DOMAINDB_SECRETS, err);

    if (db == NULL)
        return -1;
    domaindb_close(&db);
    return 0;
}

/* The connection, opened when there is none or the file has been replaced. */
static struct domaindb *ready(struct lookup *l, struct err *err)
{
    struct stat st;

    if (stat(l->main_path, &st) == -1) {
        (void)err_sys(err, "%s", l->main_path);
        domaindb_close(&l->db);
        return NULL;
    }
    if (l->db != NULL && (st.st_dev != l->dev || st.st_ino != l->ino))
        domaindb_close(&l->db);
    if (l->db == NULL) {
        l->db = domaindb_open(l->data_dir, NULL, DOMAINDB_SECRETS, err);
        l->dev = st.st_dev;
        l->ino = st.st_ino;
    }
    return l->db;
}

enum domaindb_result lookup_login(struct lookup *l, struct span login,
                                  struct lookup_login *out, struct err *err)
{
    struct domaindb *db = ready(l, err);
    enum domaindb_result r;

    if (db == NULL)
        return DOMAINDB_FAULT;
    r = account_find(db, login, &out->account, err);
    if (r == DOMAINDB_OK)
        r = secret_get(db, out->account.secret_ref, out->hash, err);
    switch (r) {
    case DOMAINDB_OK:
        break;
    case DOMAINDB_NONE:
    case DOMAINDB_EXISTS:
    case DOMAINDB_REFUSED: /* not an address at all: nobody's login */
        r = DOMAINDB_NONE;
        break;
    case DOMAINDB_FAULT:
        domaindb_close(&l->db);
        break;
    }
    return r;
}

/* Recipients -------------------------------------------------------------------------- */

struct first_account {
    struct account_row row; /* id 0: none yet */
};

static void keep_oldest(void *ctx, const struct account_row *row)
{
    struct first_account *f = ctx;

    if (f->row.id == 0 || row->id < f->row.id)
        f->row = *row;
}

/* postmaster is accepted for every domain (RFC 5321 4.5.1) even when nobody made an alias:
 * the setting `admin`, else the domain's oldest account, else the oldest of all. */
static enum address_result expand_postmaster(struct domaindb *db, struct span domain,
                                             struct address_targets *list,
                                             struct err *err)
{
    char admin[256];
    struct domain_row row;
    struct first_account first = {0};

    if (setting_get(db, "admin", "", admin, err) == DOMAINDB_FAULT)
        return ADDRESS_FAULT;
    if (admin[0] != '\0' && address_expand(db, span_str(admin), list, err) == ADDRESS_OK)
        return ADDRESS_OK;
    if (domain_find(db, domain, &row, err) == DOMAINDB_OK &&
        account_each(db, row.id, keep_oldest, &first, err) != 0)
        return ADDRESS_FAULT;
    if (first.row.id == 0 && account_each(db, 0, keep_oldest, &first, err) != 0)
        return ADDRESS_FAULT;
    if (first.row.id == 0)
        return ADDRESS_UNKNOWN; /* not one mailbox exists */
    list->n = 1;
    list->t[0].account_id = first.row.id;
    (void)memcpy(list->t[0].address, first.row.address, sizeof list->t[0].address);
    return ADDRESS_OK;
}

/* False when they do not fit: the caller then says "too many". */
static bool put_targets(const struct address_targets *list, struct buf *targets)
{
    struct wr w;

    wr_init(&w, targets);
    for (size_t i = 0; i < list->n; i++) {
        const struct address_target *t = &list->t[i];
        struct rcpt_target out = {
            .kind = t->account_id != 0 ? RCPT_LOCAL : RCPT_REMOTE,
            .account_id = (uint64_t)t->account_id,
            .address = span_str(t->address),
        };

        rcpt_target_put(&w, &out);
    }
    return !w.is_bad && targets->len <= TARGETS_OCTETS_MAX;
}

static enum rcpt_status rcpt_ours(struct domaindb *db, struct span address,
                                  struct span domain, struct buf *targets,
                                  struct err *err)
{
    struct address_targets *list = mem_resize(NULL, 1, sizeof *list); /* 30 KiB */
    enum rcpt_status status = RCPT_TRY_LATER;
    enum address_result r = address_expand(db, address, list, err);

    if (r == ADDRESS_UNKNOWN) {
        struct span local = span_take(address, address.n - domain.n);

        if (local.n != 0 && local.p[local.n - 1] == '@')
            local.n--;
        if (span_eq_str_nocase(local, "postmaster"))
            r = expand_postmaster(db, domain, list, err);
    }
    switch (r) {
    case ADDRESS_OK:
        status = put_targets(list, targets) ? RCPT_OK_LOCAL : RCPT_TOO_MANY;
        break;
    case ADDRESS_NOT_OURS: /* removed between two questions */
    case ADDRESS_UNKNOWN:
    case ADDRESS_MALFORMED:
        status = RCPT_UNKNOWN;
        break;
    case ADDRESS_DISABLED:
        status = RCPT_DISABLED;
        break;
    case ADDRESS_LOOP:
        status = RCPT_TOO_MANY;
        break;
    case ADDRESS_FAULT:
        break;
    }
    free(list);
    return status;
}

static enum rcpt_status rcpt_foreign(struct span address, uint64_t login_account,
                                     struct buf *targets)
{
    struct rcpt_target t = {.kind = RCPT_REMOTE, .address = address};
    struct wr w;

    if (login_account == 0)
        return RCPT_RELAY_DENIED;
    wr_init(&w, targets);
    rcpt_target_put(&w, &t);
    return w.is_bad ? RCPT_BAD_ADDRESS : RCPT_OK_REMOTE;
}

enum rcpt_status lookup_rcpt(struct lookup *l, struct span address,
                             uint64_t login_account, struct buf *targets, struct err *err)
{
    struct domaindb *db = ready(l, err);
    ptrdiff_t at = span_rindex(address, '@');
    struct span domain = {0};
    int is_ours = 1; /* "postmaster" alone is ours by definition */
    enum rcpt_status status;

    if (db == NULL)
        return RCPT_TRY_LATER;
    if (at >= 0)
        domain = span_drop(address, (size_t)at + 1);
    else if (!span_eq_str_nocase(address, "postmaster"))
        return RCPT_BAD_ADDRESS;
    if (at >= 0)
        is_ours = domain_is_ours(db, domain, err);
    /* <postmaster> arrives with our host name behind it (RFC 5321 4.1.1.3). */
    if (is_ours == 0 &&
        span_eq_str_nocase(span_take(address, (size_t)at), "postmaster")) {
        is_ours = host_is_ours(db, domain, err);
        if (is_ours == 1)
            address = SPAN_LIT("postmaster");
    }
    if (is_ours == 0)
        return rcpt_foreign(address, login_account, targets);
    status = is_ours < 0 ? RCPT_TRY_LATER : rcpt_ours(db, address, domain, targets, err);
    if (status == RCPT_TRY_LATER)
        domaindb_close(&l->db);
    return status;
}

/* Senders, domains -------------------------------------------------------------------- */

static enum answer answer_of(struct lookup *l, int yes)
{
    if (yes < 0)
        domaindb_close(&l->db);
    return yes < 0 ? ANSWER_LATER : yes > 0 ? ANSWER_YES : ANSWER_NO;
}

enum answer lookup_sender(struct lookup *l, uint64_t login_account, struct span address,
                          struct err *err)
{
    struct domaindb *db;

    /* The null reverse-path belongs to everybody: read receipts use it (RFC 8098 2.1). */
    if (address.n == 0)
        return ANSWER_YES;
    db = ready(l, err);
    if (db == NULL)
        return ANSWER_LATER;
    return answer_of(l, address_may_send(db, (int64_t)login_account, address, err));
}

enum answer lookup_is_ours(struct lookup *l, struct span name, struct err *err)
{
    struct domaindb *db = ready(l, err);
    int yes;

    if (db == NULL)
        return ANSWER_LATER;
    yes = domain_is_ours(db, name, err);
    if (yes == 0)
        yes = host_is_ours(db, name, err);
    return answer_of(l, yes);
}
