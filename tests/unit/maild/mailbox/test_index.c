/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/core/mem.h"
#include "base/core/rng.h"
#include "maild/mailbox/index.h"

/* An index in a folder of its own. */
struct world {
    char dir[64];
    char path[80];
    struct index *ix;
    struct rng rng;
    struct err err;
};

static void open_index(struct world *w)
{
    w->ix = index_open(w->path, &w->err);
    if (w->ix == NULL)
        fail_msg("%s", w->err.text);
}

static int setup(void **state)
{
    struct world *w = mem_new(1, sizeof(*w));

    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/test_index.XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    (void)snprintf(w->path, sizeof(w->path), "%s/index.db", w->dir);
    rng_seeded_init(&w->rng, 1);
    open_index(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = {"index.db", "index.db-wal", "index.db-shm"};
    struct world *w = *state;
    char path[96];

    index_close(&w->ix);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", w->dir, names[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(w->dir), 0);
    free(w);
    return 0;
}

/* What a crash leaves: the connection goes without a commit. */
static void crash(struct world *w)
{
    index_close(&w->ix);
    open_index(w);
}

static uint64_t box_id(struct world *w, const char *name)
{
    struct index_box box;

    assert_int_equal(index_box_find(w->ix, 1, span_str(name), &box, &w->err), INDEX_OK);
    return box.id;
}

static struct index_new message(struct world *w, const char *box, bool is_delivery)
{
    struct index_new m = {.file = {.account = 1, .head = 10, .size = 100},
                          .box = box_id(w, box),
                          .is_delivery = is_delivery,
                          .prefix = SPAN_LIT("P: p\r\n"),
                          .envelope = SPAN_LIT("(e)"),
                          .body = SPAN_LIT("(b)"),
                          .structure = SPAN_LIT("(s)"),
                          .date_s = 1000,
                          .now_s = 2000};

    msgid_new(&m.file.id, &w->rng, 1000000);
    return m;
}

static uint32_t add(struct world *w, const char *box)
{
    struct index_new m = message(w, box, false);
    bool has_file;

    assert_int_equal(index_add(w->ix, &m, &has_file, &w->err), INDEX_OK);
    return m.uid;
}

static size_t count(struct world *w, uint64_t box)
{
    struct index_msg *v;
    size_t n;

    assert_int_equal(index_load(w->ix, box, &v, &n, &w->err), INDEX_OK);
    free(v);
    return n;
}

static size_t count_doomed(struct world *w)
{
    struct index_doomed v[10];
    size_t n;

    assert_int_equal(index_doomed(w->ix, v, COUNT_OF(v), &n, &w->err), INDEX_OK);
    return n;
}

static void test_first_use_makes_the_special_folders(void **state)
{
    struct world *w = *state;
    struct index_boxes boxes;

    assert_int_equal(index_account_ensure(w->ix, 1, 5000, &w->err), INDEX_OK);
    assert_int_equal(index_account_ensure(w->ix, 1, 5000, &w->err), INDEX_OK);
    assert_int_equal(index_box_list(w->ix, 1, &boxes, &w->err), INDEX_OK);
    assert_int_equal(boxes.n, 6);
    assert_string_equal(boxes.v[0].name, "Archive");
    assert_string_equal(boxes.v[0].use, "\\Archive");
    assert_true(boxes.v[0].is_subscribed);
    for (size_t i = 1; i < boxes.n; i++)
        assert_int_not_equal(boxes.v[i].uidvalidity, boxes.v[i - 1].uidvalidity);
    index_boxes_free(&boxes);
}

static void test_delivery_is_idempotent(void **state)
{
    struct world *w = *state;
    struct index_new m;
    bool has_file = false;
    uint64_t inbox;

    assert_int_equal(index_account_ensure(w->ix, 1, 1, &w->err), INDEX_OK);
    inbox = box_id(w, "INBOX");
    m = message(w, "INBOX", true);
    assert_int_equal(index_add(w->ix, &m, &has_file, &w->err), INDEX_OK);
    assert_int_equal(m.uid, 1);
    crash(w);
    assert_int_equal(index_add(w->ix, &m, &has_file, &w->err), INDEX_EXISTS);
    assert_true(has_file);
    assert_int_equal(count(w, inbox), 1);
    m.file.number = 1; /* another recipient of the same message */
    assert_int_equal(index_add(w->ix, &m, &has_file, &w->err), INDEX_OK);
    assert_int_equal(m.uid, 2);
    /* expunged, its file removed: still known, and the file not wanted */
    assert_int_equal(index_expunge(w->ix, inbox, &m.uid, 1, &w->err), INDEX_OK);
    assert_int_equal(count_doomed(w), 1);
    {
        struct index_doomed d;
        size_t n;

        assert_int_equal(index_doomed(w->ix, &d, 1, &n, &w->err), INDEX_OK);
        assert_int_equal(index_forget(w->ix, d.row, &w->err), INDEX_OK);
    }
    assert_int_equal(index_add(w->ix, &m, &has_file, &w->err), INDEX_EXISTS);
    assert_false(has_file);
}

static void test_a_uid_is_never_used_twice(void **state)
{
    struct world *w = *state;
    struct index_box box;
    uint32_t uid, last = 0;
    uint64_t inbox;

    assert_int_equal(index_account_ensure(w->ix, 1, 1, &w->err), INDEX_OK);
    inbox = box_id(w, "INBOX");
    for (int i = 0; i < 5; i++) {
        uid = add(w, "INBOX");
        assert_true(uid > last);
        last = uid;
        assert_int_equal(index_expunge(w->ix, inbox, &uid, 1, &w->err), INDEX_OK);
        crash(w);
    }
    assert_int_equal(index_box_find(w->ix, 1, SPAN_LIT("INBOX"), &box, &w->err),
                     INDEX_OK);
    assert_int_equal(box.uidnext, 6);
    /* a transaction that was never committed gave out nothing */
    assert_int_equal(index_begin(w->ix, &w->err), 0);
    assert_int_equal(add(w, "INBOX"), 6);
    crash(w);
    assert_int_equal(count(w, inbox), 0);
    assert_int_equal(add(w, "INBOX"), 6);
}

static void test_one_op_fails_alone(void **state)
{
    struct world *w = *state;

    assert_int_equal(index_account_ensure(w->ix, 1, 1, &w->err), INDEX_OK);
    assert_int_equal(index_begin(w->ix, &w->err), 0);
    assert_int_equal(index_mark(w->ix, &w->err), 0);
    assert_int_equal(add(w, "INBOX"), 1);
    assert_int_equal(index_unmark(w->ix, true, &w->err), 0);
    assert_int_equal(index_mark(w->ix, &w->err), 0);
    assert_int_equal(add(w, "INBOX"), 2);
    assert_int_equal(index_unmark(w->ix, false, &w->err), 0);
    assert_int_equal(index_commit(w->ix, &w->err), 0);
    crash(w);
    assert_int_equal(count(w, box_id(w, "INBOX")), 1);
}

static void test_copies_share_a_file_until_the_last_goes(void **state)
{
    struct world *w = *state;
    uint32_t uids[2], to[2];
    struct index_copy c = {.n = 2, .uids = uids, .new_uids = to};

    assert_int_equal(index_account_ensure(w->ix, 1, 1, &w->err), INDEX_OK);
    uids[0] = add(w, "INBOX");
    uids[1] = 77; /* gone meanwhile */
    c.from = box_id(w, "INBOX");
    c.to = box_id(w, "Archive");
    assert_int_equal(index_copy(w->ix, &c, &w->err), INDEX_OK);
    assert_int_equal(to[0], 1);
    assert_int_equal(to[1], 0);
    assert_int_equal(index_expunge(w->ix, c.from, uids, 2, &w->err), INDEX_OK);
    assert_int_equal(count_doomed(w), 0);
    c.is_move = true;
    c.from = c.to;
    c.to = box_id(w, "Trash");
    uids[0] = to[0];
    assert_int_equal(index_copy(w->ix, &c, &w->err), INDEX_OK);
    assert_int_equal(count(w, c.from), 0);
    assert_int_equal(count(w, c.to), 1);
    assert_int_equal(count_doomed(w), 0);
    assert_int_equal(index_expunge(w->ix, c.to, to, 1, &w->err), INDEX_OK);
    assert_int_equal(count_doomed(w), 1);
}

static void test_names(void **state)
{
    struct world *w = *state;
    struct index_box a, b;
    uint64_t gone = 0;

    assert_int_equal(index_account_ensure(w->ix, 1, 1, &w->err), INDEX_OK);
    assert_int_equal(index_box_create(w->ix, 1, SPAN_LIT("a/b/c"), 1, &w->err), INDEX_OK);
    assert_int_equal(index_box_create(w->ix, 1, SPAN_LIT("a/b"), 1, &w->err),
                     INDEX_EXISTS);
    /* rfc3501_6_3_4 a mailbox with inferiors keeps its name */
    assert_int_equal(index_box_delete(w->ix, 1, SPAN_LIT("a/b"), &gone, &w->err),
                     INDEX_OK);
    assert_int_equal(index_box_find(w->ix, 1, SPAN_LIT("a/b"), &a, &w->err), INDEX_NONE);
    assert_int_equal(index_box_delete(w->ix, 1, SPAN_LIT("a/b"), &gone, &w->err),
                     INDEX_CHILDREN);
    assert_int_equal(index_box_create(w->ix, 1, SPAN_LIT("a/b"), 1, &w->err), INDEX_OK);
    assert_int_equal(index_box_delete(w->ix, 1, SPAN_LIT("INBOX"), &gone, &w->err),
                     INDEX_INBOX);
    assert_int_equal(index_box_delete(w->ix, 1, SPAN_LIT("none"), &gone, &w->err),
                     INDEX_NONE);
    /* children follow; names that only look alike do not */
    assert_int_equal(index_box_create(w->ix, 1, SPAN_LIT("a-b"), 1, &w->err), INDEX_OK);
    assert_int_equal(
        index_box_rename(w->ix, 1, SPAN_LIT("a"), SPAN_LIT("x\xc3\xa9/y"), 1, &w->err),
        INDEX_OK);
    assert_int_equal(index_box_find(w->ix, 1, SPAN_LIT("x\xc3\xa9/y/b/c"), &a, &w->err),
                     INDEX_OK);
    assert_int_equal(index_box_find(w->ix, 1, SPAN_LIT("a-b"), &a, &w->err), INDEX_OK);
    assert_int_equal(
        index_box_rename(w->ix, 1, SPAN_LIT("a-b"), SPAN_LIT("a-b/c"), 1, &w->err),
        INDEX_CHILDREN);
    assert_int_equal(
        index_box_rename(w->ix, 1, SPAN_LIT("a-b"), SPAN_LIT("INBOX"), 1, &w->err),
        INDEX_INBOX);
    /* a name that comes back has another UIDVALIDITY */
    assert_int_equal(index_box_find(w->ix, 1, SPAN_LIT("a-b"), &a, &w->err), INDEX_OK);
    assert_int_equal(index_box_delete(w->ix, 1, SPAN_LIT("a-b"), &gone, &w->err),
                     INDEX_OK);
    assert_int_equal(index_box_create(w->ix, 1, SPAN_LIT("a-b"), 1, &w->err), INDEX_OK);
    assert_int_equal(index_box_find(w->ix, 1, SPAN_LIT("a-b"), &b, &w->err), INDEX_OK);
    assert_true(b.uidvalidity > a.uidvalidity);
}

/* RFC 3501 6.3.5: INBOX stays, empty; its messages are in the new mailbox. */
static void test_rename_inbox(void **state)
{
    struct world *w = *state;

    assert_int_equal(index_account_ensure(w->ix, 1, 1, &w->err), INDEX_OK);
    assert_int_equal(index_box_create(w->ix, 1, SPAN_LIT("INBOX/sub"), 1, &w->err),
                     INDEX_OK);
    (void)add(w, "INBOX");
    assert_int_equal(
        index_box_rename(w->ix, 1, SPAN_LIT("INBOX"), SPAN_LIT("old/mail"), 1, &w->err),
        INDEX_OK);
    assert_int_equal(count(w, box_id(w, "old/mail")), 1);
    assert_int_equal(count(w, box_id(w, "INBOX")), 0);
    (void)box_id(w, "INBOX/sub");
}

static void test_status_and_flags(void **state)
{
    struct world *w = *state;
    struct index_flag f = {.flags = 8};
    struct index_status st;
    uint64_t inbox;

    assert_int_equal(index_account_ensure(w->ix, 1, 1, &w->err), INDEX_OK);
    inbox = box_id(w, "INBOX");
    f.uid = add(w, "INBOX");
    (void)add(w, "INBOX");
    assert_int_equal(index_flags(w->ix, inbox, &f, 1, &w->err), INDEX_OK);
    assert_int_equal(index_box_recent(w->ix, inbox, 2, &w->err), INDEX_OK);
    assert_int_equal(index_box_status(w->ix, inbox, &st, &w->err), INDEX_OK);
    assert_int_equal(st.messages, 2);
    assert_int_equal(st.unseen, 1);
    assert_int_equal(st.recent, 1);
    assert_int_equal(st.size, 2 * 106);
    assert_int_equal(st.uidnext, 3);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_first_use_makes_the_special_folders),
        T(test_delivery_is_idempotent),
        T(test_a_uid_is_never_used_twice),
        T(test_one_op_fails_alone),
        T(test_copies_share_a_file_until_the_last_goes),
        T(test_names),
        T(test_rename_inbox),
        T(test_status_and_flags),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
