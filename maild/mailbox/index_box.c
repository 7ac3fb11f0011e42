/* SPDX-License-Identifier: ISC */
/* Accounts, mailboxes, subscriptions, keywords. Names are UTF-8 with "/" between levels;
 * the hierarchy is in the names alone, there are no parent columns to keep in step.
 *
 * Children of "a" are the names in ["a/", "a0"), as "0" follows "/": a range of the unique
 * index. Superiors are made with their children, so every name but a root has its parent.
 * A \Noselect row is a deleted mailbox that still has children (RFC 3501 6.3.4). */
#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "maild/mailbox/index_int.h"

static const struct {
    const char *name, *use;
} defaults[] = {
    {"INBOX", ""},      {"Drafts", "\\Drafts"}, {"Sent", "\\Sent"},
    {"Junk", "\\Junk"}, {"Trash", "\\Trash"},   {"Archive", "\\Archive"},
};

void index_boxes_free(struct index_boxes *b)
{
    for (size_t i = 0; i < b->n; i++)
        free(b->v[i].name);
    free(b->v);
    *b = (struct index_boxes){NULL, 0};
}

/* A UIDVALIDITY greater than every one before: the time, or the last one and one. */
static enum index_result next_validity(struct index *ix, uint64_t account, int64_t now_s,
                                       int64_t *v, struct err *err)
{
    struct db_stmt *s =
        db_stmt(ix->db,
                "INSERT INTO account(id, uidvalidity) VALUES (?1, ?2) ON CONFLICT(id) DO"
                " UPDATE SET uidvalidity = max(uidvalidity + 1, ?2)"
                " RETURNING uidvalidity",
                err);
    enum index_result r;

    db_bind_int(s, 1, (int64_t)account);
    db_bind_int(s, 2, now_s > 0 && now_s < UINT32_MAX ? now_s : 1);
    r = index_one(s, err);
    if (r == INDEX_OK)
        *v = db_col_int(s, 0);
    db_reset(s);
    return r;
}

static enum index_result insert_box(struct index *ix, uint64_t account, struct span name,
                                    const char *use, int64_t now_s, struct err *err)
{
    struct db_stmt *s;
    int64_t validity = 0;
    enum index_result r = next_validity(ix, account, now_s, &validity, err);

    if (r != INDEX_OK)
        return r;
    s = db_stmt(ix->db,
                "INSERT INTO box(account, name, special, uidvalidity)"
                " VALUES (?1, ?2, ?3, ?4)",
                err);
    db_bind_int(s, 1, (int64_t)account);
    db_bind_span(s, 2, name);
    db_bind_text(s, 3, use);
    db_bind_int(s, 4, validity);
    return index_run(s, err);
}

static void read_box(struct db_stmt *s, struct index_box *b)
{
    b->id = (uint64_t)db_col_int(s, 0);
    b->is_noselect = db_col_int(s, 1) != 0;
    b->uidvalidity = (uint32_t)db_col_int(s, 2);
    b->uidnext = (uint32_t)db_col_int(s, 3);
    b->recent_uid = (uint32_t)db_col_int(s, 4);
    if (!span_copy(span_str(db_col_text(s, 5)), b->use, sizeof(b->use)))
        b->use[0] = '\0';
}

/* Also finds \Noselect names. */
static enum index_result find_any(struct index *ix, uint64_t account, struct span name,
                                  struct index_box *box, struct err *err)
{
    struct db_stmt *s =
        db_stmt(ix->db,
                "SELECT id, noselect, uidvalidity, uidnext, recent, special"
                " FROM box WHERE account = ?1 AND name = ?2",
                err);
    enum index_result r;

    memset(box, 0, sizeof(*box));
    db_bind_int(s, 1, (int64_t)account);
    db_bind_span(s, 2, name);
    r = index_one(s, err);
    if (r == INDEX_OK)
        read_box(s, box);
    db_reset(s);
    return r;
}

enum index_result index_box_find(struct index *ix, uint64_t account, struct span name,
                                 struct index_box *box, struct err *err)
{
    enum index_result r = find_any(ix, account, name, box, err);

    return r == INDEX_OK && box->is_noselect ? INDEX_NONE : r;
}

enum index_result index_account_ensure(struct index *ix, uint64_t account, int64_t now_s,
                                       struct err *err)
{
    struct index_box box;
    enum index_result r = find_any(ix, account, SPAN_LIT("INBOX"), &box, err);

    if (r != INDEX_NONE)
        return r;
    for (size_t i = 0; i < COUNT_OF(defaults); i++) {
        struct span name = span_str(defaults[i].name);

        r = insert_box(ix, account, name, defaults[i].use, now_s, err);
        if (r == INDEX_OK)
            r = index_subscribe(ix, account, name, true, err);
        if (r != INDEX_OK)
            return r;
    }
    return INDEX_OK;
}

static enum index_result count_boxes(struct index *ix, uint64_t account, int64_t *n,
                                     struct err *err)
{
    struct db_stmt *s =
        db_stmt(ix->db, "SELECT count(*) FROM box WHERE account = ?1", err);
    enum index_result r;

    db_bind_int(s, 1, (int64_t)account);
    r = index_one(s, err);
    if (r == INDEX_OK)
        *n = db_col_int(s, 0);
    db_reset(s);
    return r;
}

/* One name; a \Noselect one becomes a mailbox again. */
static enum index_result create_one(struct index *ix, uint64_t account, struct span name,
                                    int64_t now_s, struct err *err)
{
    struct index_box box;
    enum index_result r = find_any(ix, account, name, &box, err);
    struct db_stmt *s;
    int64_t validity = 0;

    if (r == INDEX_NONE)
        return insert_box(ix, account, name, "", now_s, err);
    if (r != INDEX_OK || !box.is_noselect)
        return r == INDEX_OK ? INDEX_EXISTS : r;
    r = next_validity(ix, account, now_s, &validity, err);
    if (r != INDEX_OK)
        return r;
    s = db_stmt(ix->db,
                "UPDATE box SET noselect = 0, uidvalidity = ?2, uidnext = 1, recent = 1"
                " WHERE id = ?1",
                err);
    db_bind_int(s, 1, (int64_t)box.id);
    db_bind_int(s, 2, validity);
    return index_run(s, err);
}

static enum index_result create_superiors(struct index *ix, uint64_t account,
                                          struct span name, int64_t now_s,
                                          struct err *err)
{
    for (size_t i = 0; i < name.n; i++) {
        struct index_box box;
        enum index_result r;

        if (name.p[i] != '/')
            continue;
        r = find_any(ix, account, span_take(name, i), &box, err);
        if (r == INDEX_NONE)
            r = insert_box(ix, account, span_take(name, i), "", now_s, err);
        if (r != INDEX_OK)
            return r;
    }
    return INDEX_OK;
}

enum index_result index_box_create(struct index *ix, uint64_t account, struct span name,
                                   int64_t now_s, struct err *err)
{
    int64_t n = 0;
    enum index_result r = count_boxes(ix, account, &n, err);

    if (r == INDEX_OK && n >= INDEX_BOXES_MAX)
        return INDEX_FULL;
    if (r == INDEX_OK)
        r = create_superiors(ix, account, name, now_s, err);
    return r == INDEX_OK ? create_one(ix, account, name, now_s, err) : r;
}

/* "name/" as the first octets of a child's name, and what sorts right behind them. */
static void bind_children(struct db_stmt *s, uint64_t account, struct span name, char *lo,
                          char *hi)
{
    memcpy(lo, name.p, name.n);
    memcpy(hi, name.p, name.n);
    lo[name.n] = '/';
    hi[name.n] = '/' + 1;
    db_bind_int(s, 1, (int64_t)account);
    db_bind_span(s, 2, span_of(lo, name.n + 1));
    db_bind_span(s, 3, span_of(hi, name.n + 1));
}

static enum index_result has_children(struct index *ix, uint64_t account,
                                      struct span name, struct err *err)
{
    struct db_stmt *s = db_stmt(ix->db,
                                "SELECT 1 FROM box WHERE account = ?1 AND name >= ?2 AND"
                                " name < ?3 LIMIT 1",
                                err);
    char *lo = mem_new(name.n + 1, 1), *hi = mem_new(name.n + 1, 1);
    enum index_result r;

    bind_children(s, account, name, lo, hi);
    r = index_one(s, err);
    db_reset(s);
    free(lo);
    free(hi);
    return r;
}

static enum index_result run_id(struct index *ix, const char *sql, uint64_t id,
                                struct err *err)
{
    struct db_stmt *s = db_stmt(ix->db, sql, err);

    db_bind_int(s, 1, (int64_t)id);
    return index_run(s, err);
}

static enum index_result drop_messages(struct index *ix, uint64_t box, struct err *err)
{
    enum index_result r =
        run_id(ix,
               "UPDATE blob SET refs = refs - (SELECT count(*) FROM message m"
               " WHERE m.box = ?1 AND m.blob = blob.id)"
               " WHERE id IN (SELECT blob FROM message WHERE box = ?1)",
               box, err);

    return r == INDEX_OK ? run_id(ix, "DELETE FROM message WHERE box = ?1", box, err) : r;
}

enum index_result index_box_delete(struct index *ix, uint64_t account, struct span name,
                                   uint64_t *gone, struct err *err)
{
    struct index_box box;
    enum index_result r, kids;

    if (span_eq_str(name, "INBOX"))
        return INDEX_INBOX;
    r = find_any(ix, account, name, &box, err);
    if (r != INDEX_OK)
        return r;
    kids = has_children(ix, account, name, err);
    if (kids == INDEX_ERROR)
        return kids;
    if (kids == INDEX_OK && box.is_noselect)
        return INDEX_CHILDREN;
    *gone = box.id;
    r = drop_messages(ix, box.id, err);
    if (r != INDEX_OK)
        return r;
    return run_id(ix,
                  kids == INDEX_OK
                      ? "UPDATE box SET noselect = 1, special = '' WHERE id = ?1"
                      : "DELETE FROM box WHERE id = ?1",
                  box.id, err);
}

static enum index_result rename_one(struct index *ix, uint64_t id, struct span to,
                                    struct err *err)
{
    struct db_stmt *s = db_stmt(ix->db, "UPDATE box SET name = ?2 WHERE id = ?1", err);

    db_bind_int(s, 1, (int64_t)id);
    db_bind_span(s, 2, to);
    return index_run(s, err);
}

static enum index_result rename_children(struct index *ix, uint64_t account,
                                         struct span from, struct span to,
                                         struct err *err)
{
    struct db_stmt *s = db_stmt(ix->db,
                                "UPDATE box SET name = CAST(?4 AS TEXT) ||"
                                " substr(name, length(CAST(?5 AS TEXT)) + 1)"
                                " WHERE account = ?1 AND name >= ?2 AND name < ?3",
                                err);
    char *lo = mem_new(from.n + 1, 1), *hi = mem_new(from.n + 1, 1);
    enum index_result r;

    bind_children(s, account, from, lo, hi);
    db_bind_span(s, 4, to);
    db_bind_span(s, 5, from);
    r = index_run(s, err);
    free(lo);
    free(hi);
    return r;
}

enum index_result index_box_rename(struct index *ix, uint64_t account, struct span from,
                                   struct span to, int64_t now_s, struct err *err)
{
    struct index_box box, other;
    enum index_result r = find_any(ix, account, from, &box, err);
    bool is_inside = to.n > from.n && span_starts(to, from) && to.p[from.n] == '/';

    if (r != INDEX_OK)
        return r;
    if (span_eq_str(to, "INBOX"))
        return INDEX_INBOX;
    r = find_any(ix, account, to, &other, err);
    if (r != INDEX_NONE)
        return r == INDEX_OK ? INDEX_EXISTS : r;
    if (is_inside && !span_eq_str(from, "INBOX"))
        return INDEX_CHILDREN; /* it cannot become its own child */
    r = create_superiors(ix, account, to, now_s, err);
    if (r == INDEX_OK)
        r = rename_one(ix, box.id, to, err);
    if (r != INDEX_OK)
        return r;
    if (span_eq_str(from, "INBOX"))
        return insert_box(ix, account, from, "", now_s, err);
    return rename_children(ix, account, from, to, err);
}

enum index_result index_subscribe(struct index *ix, uint64_t account, struct span name,
                                  bool is_on, struct err *err)
{
    struct db_stmt *s =
        db_stmt(ix->db,
                is_on ? "INSERT INTO subscription(account, name) VALUES (?1, ?2)"
                        " ON CONFLICT DO NOTHING"
                      : "DELETE FROM subscription WHERE account = ?1 AND name = ?2",
                err);

    db_bind_int(s, 1, (int64_t)account);
    db_bind_span(s, 2, name);
    return index_run(s, err);
}

enum index_result index_box_list(struct index *ix, uint64_t account,
                                 struct index_boxes *out, struct err *err)
{
    struct db_stmt *s = db_stmt(
        ix->db,
        "SELECT b.id, b.noselect, b.uidvalidity, b.uidnext, b.recent, b.special, b.name,"
        " EXISTS (SELECT 1 FROM subscription s WHERE s.account = b.account AND"
        " s.name = b.name) FROM box b WHERE b.account = ?1 UNION ALL"
        " SELECT 0, 1, 0, 0, 0, '', s.name, 1 FROM subscription s WHERE s.account = ?1"
        " AND NOT EXISTS (SELECT 1 FROM box b WHERE b.account = s.account AND"
        " b.name = s.name) ORDER BY 7",
        err);
    enum db_result r;
    size_t cap = 0;

    *out = (struct index_boxes){NULL, 0};
    db_bind_int(s, 1, (int64_t)account);
    while ((r = db_step(s, err)) == DB_ROW) {
        struct index_box *b;

        if (out->n == cap) {
            cap = cap == 0 ? 16 : cap * 2;
            out->v = mem_resize(out->v, cap, sizeof(*out->v));
        }
        b = &out->v[out->n++];
        memset(b, 0, sizeof(*b));
        read_box(s, b);
        b->name = span_dup(db_col_span(s, 6));
        b->is_subscribed = db_col_int(s, 7) != 0;
    }
    db_reset(s);
    if (r == DB_DONE)
        return INDEX_OK;
    index_boxes_free(out);
    return INDEX_ERROR;
}

enum index_result index_box_status(struct index *ix, uint64_t box,
                                   struct index_status *st, struct err *err)
{
    struct db_stmt *s = db_stmt(
        ix->db,
        "SELECT count(m.uid), coalesce(sum(m.flags & 8 = 0), 0),"
        " coalesce(sum(m.uid >= b.recent), 0), coalesce(sum(m.size), 0), b.uidnext,"
        " b.uidvalidity FROM box b LEFT JOIN message m ON m.box = b.id WHERE b.id = ?1"
        " GROUP BY b.id",
        err);
    enum index_result r;

    db_bind_int(s, 1, (int64_t)box);
    r = index_one(s, err);
    if (r == INDEX_OK)
        *st = (struct index_status){.messages = (uint64_t)db_col_int(s, 0),
                                    .unseen = (uint64_t)db_col_int(s, 1),
                                    .recent = (uint64_t)db_col_int(s, 2),
                                    .size = (uint64_t)db_col_int(s, 3),
                                    .uidnext = (uint32_t)db_col_int(s, 4),
                                    .uidvalidity = (uint32_t)db_col_int(s, 5)};
    db_reset(s);
    return r;
}

enum index_result index_box_recent(struct index *ix, uint64_t box, uint32_t uid,
                                   struct err *err)
{
    struct db_stmt *s =
        db_stmt(ix->db, "UPDATE box SET recent = max(recent, ?2) WHERE id = ?1", err);

    db_bind_int(s, 1, (int64_t)box);
    db_bind_int(s, 2, uid);
    return index_run(s, err);
}

enum index_result index_keywords(struct index *ix, uint64_t account, char **names,
                                 size_t n, struct err *err)
{
    struct db_stmt *s =
        db_stmt(ix->db, "SELECT bit, name FROM keyword WHERE account = ?1", err);
    enum db_result r;

    db_bind_int(s, 1, (int64_t)account);
    while ((r = db_step(s, err)) == DB_ROW) {
        int64_t bit = db_col_int(s, 0);

        if (bit < 0 || bit >= (int64_t)n || names[bit] != NULL)
            continue;
        names[bit] = span_dup(db_col_span(s, 1));
    }
    db_reset(s);
    return r == DB_DONE ? INDEX_OK : INDEX_ERROR;
}

enum index_result index_keyword_add(struct index *ix, uint64_t account, unsigned bit,
                                    const char *name, struct err *err)
{
    struct db_stmt *s = db_stmt(ix->db,
                                "INSERT INTO keyword(account, bit, name)"
                                " VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                                err);

    db_bind_int(s, 1, (int64_t)account);
    db_bind_int(s, 2, (int64_t)bit);
    db_bind_text(s, 3, name);
    return index_run(s, err);
}
