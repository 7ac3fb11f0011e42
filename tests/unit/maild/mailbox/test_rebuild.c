/* SPDX-License-Identifier: ISC */
/* An index that is gone, or not what it was; the message files of account 1 stand in mail/01. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/core/mem.h"
#include "base/msg/envelope.h"
#include "maild/mailbox/mailfile.h"
#include "maild/mailbox/rebuild.h"
#include "maild/store/blob.h"

#define THEN 1795000000
#define NOW  1795100000

struct world {
    char dir[64], path[128];
    int dirfd;
    struct index *ix;
    struct rebuild r;
};

static struct msgid id_of(uint8_t n)
{
    struct msgid id;

    memset(id.b, n, sizeof(id.b));
    return id;
}

static struct index_file file_of(uint8_t n)
{
    return (struct index_file){.account = 1, .id = id_of(n)};
}

static void open_it(struct world *w)
{
    struct err err = {0, ""};

    w->ix = rebuild_open(w->dirfd, 1, w->path, NOW, &w->r, &err);
    if (w->ix == NULL)
        fail_msg("%s", err.text);
}

static int setup(void **state)
{
    struct world *w = mem_new(1, sizeof(*w));
    struct err err;

    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/test_rebuild.XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    (void)snprintf(w->path, sizeof(w->path), "%s/mail/01/index.db", w->dir);
    w->dirfd = open(w->dir, O_RDONLY | O_DIRECTORY);
    assert_int_equal(mailfile_prepare(w->dirfd, &err), 0);
    open_it(w);
    assert_false(w->r.is_done);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char cmd[100];

    index_close(&w->ix);
    (void)close(w->dirfd);
    (void)snprintf(cmd, sizeof(cmd), "rm -rf %s", w->dir);
    assert_int_equal(system(cmd), 0);
    free(w);
    return 0;
}

/* A file with these octets at the place of message `n`. */
static void put_file(struct world *w, uint8_t n, const void *octets, size_t size)
{
    struct index_file f = file_of(n);
    char path[MAILFILE_PATH_MAX];
    int fd;

    (void)mkdirat(w->dirfd, "mail/01/1", 0750);
    mailfile_folder(&f, path);
    (void)mkdirat(w->dirfd, path, 0750);
    mailfile_path(&f, path);
    fd = openat(w->dirfd, path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
    assert_int_not_equal(fd, -1);
    assert_int_equal(write(fd, octets, size), (ssize_t)size);
    (void)close(fd);
}

#define MAIL "Subject: hello\r\n\r\nbody\r\n"

static void put_appended(struct world *w, uint8_t n)
{
    put_file(w, n, MAIL, sizeof(MAIL) - 1);
}

/* As the queue leaves it, for ann of account 1. */
static void put_delivered(struct world *w, uint8_t n)
{
    struct envelope_rcpt to = {.kind = RCPT_LOCAL,
                               .account_id = 1,
                               .address = "ann@x.test",
                               .original = "office@x.test"};
    struct envelope e = {.id = id_of(n),
                         .via = VIA_SMTP,
                         .accepted_s = THEN + 5,
                         .sender = "bob@y.test",
                         .peer = "",
                         .helo = "",
                         .n = 1,
                         .rcpts = &to};
    struct blob_head h = {
        .id = id_of(n), .accepted_s = THEN + 5, .size = sizeof(MAIL) - 1};
    struct buf envelope, file;
    struct wr wr;

    buf_init(&envelope, 65536);
    wr_init(&wr, &envelope);
    envelope_encode(&e, &wr);
    h.envelope = buf_all(&envelope);
    h.offset = blob_head_size(envelope.len);
    buf_init(&file, 65536);
    assert_int_equal(blob_head_encode(&h, &file), 0);
    assert_int_equal(buf_str(&file, MAIL), 0);
    put_file(w, n, file.data, file.len);
    buf_free(&envelope);
    buf_free(&file);
}

/* A row in `box` for the appended file `n`, flagged. */
static uint32_t add_row(struct world *w, uint8_t n, const char *box)
{
    struct index_new row = {.file = file_of(n),
                            .envelope = SPAN_LIT("()"),
                            .structure = SPAN_LIT("()"),
                            .flags = 4,
                            .date_s = THEN,
                            .now_s = THEN};
    struct index_box b;
    struct err err;
    bool has_file;

    put_appended(w, n);
    row.file.size = sizeof(MAIL) - 1;
    assert_int_equal(index_begin(w->ix, &err), 0);
    assert_int_equal(index_account_ensure(w->ix, 1, THEN, &err), INDEX_OK);
    assert_int_equal(index_box_find(w->ix, 1, span_str(box), &b, &err), INDEX_OK);
    row.box = b.id;
    assert_int_equal(index_add(w->ix, &row, &has_file, &err), INDEX_OK);
    assert_int_equal(index_commit(w->ix, &err), 0);
    return row.uid;
}

static struct index_box box_of(struct world *w, const char *name)
{
    struct index_box b;
    struct err err;

    assert_int_equal(index_box_find(w->ix, 1, span_str(name), &b, &err), INDEX_OK);
    return b;
}

static size_t count(struct world *w, const char *name, struct index_msg *first)
{
    struct index_msg *v = NULL;
    struct err err;
    size_t n;

    assert_int_equal(index_load(w->ix, box_of(w, name).id, &v, &n, &err), INDEX_OK);
    if (n > 0)
        *first = v[0];
    free(v);
    return n;
}

static void lose(struct world *w, const char *name)
{
    char path[160];

    (void)snprintf(path, sizeof(path), "mail/01/%s", name);
    assert_true(unlinkat(w->dirfd, path, 0) == 0 || errno == ENOENT);
}

static void lose_index(struct world *w)
{
    index_close(&w->ix);
    lose(w, "index.db");
}

static void take_snapshot(struct world *w)
{
    char copy[160];
    struct err err;

    (void)snprintf(copy, sizeof(copy), "%s/mail/01/snapshot.db", w->dir);
    if (index_copy_file(w->path, copy, &err) == -1)
        fail_msg("%s", err.text);
}

static void an_empty_store_is_no_loss(void **state)
{
    struct world *w = *state;

    lose_index(w);
    open_it(w);
    assert_false(w->r.is_done);
}

/* Fields in front are not in the file: they are made again from its leading record. */
static void check_prefix(void *ctx, size_t i, const struct index_row *row)
{
    size_t *seen = ctx;

    (void)i;
    (*seen)++;
    assert_int_equal(row->file.size, sizeof(MAIL) - 1);
    if (row->file.id.b[0] == 2)
        assert_true(span_eq_str(row->prefix, "Return-Path: <bob@y.test>\r\n"
                                             "Delivered-To: office@x.test\r\n"));
    else
        assert_int_equal(row->prefix.n, 0);
}

static void without_snapshot_all_files_are_in_inbox(void **state)
{
    struct world *w = *state;
    struct index_msg first;
    static const uint32_t uids[] = {1, 2};
    struct arena *a = arena_new(65536);
    size_t seen = 0;
    struct index_rows q = {
        .uids = uids, .n = 2, .arena = a, .row = check_prefix, .ctx = &seen};
    struct err err;
    uint32_t before;

    (void)add_row(w, 1, "Junk");
    before = box_of(w, "INBOX").uidvalidity;
    put_delivered(w, 2);
    put_file(w, 3, "\0\0\0\0\0\0\0\0", 8); /* octets that the power took along */
    lose_index(w);
    open_it(w);
    assert_true(w->r.is_done);
    assert_false(w->r.has_snapshot);
    assert_int_equal(w->r.put_back, 2);
    assert_int_equal(w->r.not_read, 1);
    assert_int_equal(count(w, "INBOX", &first), 2);
    assert_true(box_of(w, "INBOX").uidvalidity > before);
    q.box = box_of(w, "INBOX").id;
    assert_int_equal(index_rows(w->ix, &q, &err), INDEX_OK);
    assert_int_equal(seen, 2);
    arena_free(&a);
}

/* The queue may ask once more for what was put back, and for what it has not settled. */
static void a_delivery_put_back_is_known(void **state)
{
    struct world *w = *state;
    struct index_new row = {.file = file_of(2), .is_delivery = true, .now_s = NOW};
    bool has_file = false;
    struct err err;

    put_delivered(w, 2);
    lose_index(w);
    open_it(w);
    row.box = box_of(w, "INBOX").id;
    assert_int_equal(index_begin(w->ix, &err), 0);
    assert_int_equal(index_add(w->ix, &row, &has_file, &err), INDEX_EXISTS);
    assert_true(has_file);
    index_rollback(w->ix);
}

static void a_snapshot_keeps_mailboxes_and_flags(void **state)
{
    struct world *w = *state;
    struct index_msg first = {.flags = 0};
    struct index_file gone = file_of(2);
    uint32_t inbox, junk;
    struct err err;

    (void)add_row(w, 1, "Junk");
    (void)add_row(w, 2, "Junk");
    take_snapshot(w);
    (void)add_row(w, 3, "Junk"); /* newer: back in INBOX */
    assert_int_equal(mailfile_remove(w->dirfd, &gone, &err), 0); /* expunged since */
    inbox = box_of(w, "INBOX").uidvalidity;
    junk = box_of(w, "Junk").uidvalidity;
    lose_index(w);
    open_it(w);
    assert_true(w->r.is_done && w->r.has_snapshot);
    assert_int_equal(w->r.put_back, 1);
    assert_int_equal(w->r.gone, 1);
    assert_int_equal(count(w, "Junk", &first), 1);
    assert_int_equal(first.uid, 1);
    assert_int_equal(first.flags, 4);
    assert_int_equal(count(w, "INBOX", &first), 1);
    /* UID 3 of Junk was given, and would be again */
    assert_true(box_of(w, "INBOX").uidvalidity > inbox);
    assert_true(box_of(w, "Junk").uidvalidity > junk);
}

static void scribble(struct world *w, const char *name)
{
    static const uint8_t junk[4096] = {0x55};
    char path[160];
    struct stat st;
    int fd;

    (void)snprintf(path, sizeof(path), "mail/01/%s", name);
    fd = openat(w->dirfd, path, O_RDWR);
    assert_int_not_equal(fd, -1);
    assert_int_equal(fstat(fd, &st), 0);
    for (off_t at = 0; at < st.st_size; at += 4096)
        assert_int_equal(pwrite(fd, junk, sizeof(junk), at), sizeof(junk));
    (void)close(fd);
}

static void a_damaged_index_is_put_aside(void **state)
{
    struct world *w = *state;
    struct index_msg first;

    (void)add_row(w, 1, "Junk");
    take_snapshot(w);
    index_close(&w->ix);
    lose(w, "index.db-wal");
    scribble(w, "index.db");
    open_it(w);
    assert_true(w->r.is_done && w->r.has_snapshot);
    assert_non_null(strstr(w->r.why, "index.db"));
    assert_int_equal(count(w, "Junk", &first), 1);
    assert_int_equal(faccessat(w->dirfd, "mail/01/index.db.unusable", F_OK, 0), 0);
    index_close(&w->ix);
    open_it(w);
    assert_false(w->r.is_done);
}

static void a_damaged_snapshot_leads_to_the_one_before(void **state)
{
    struct world *w = *state;
    struct index_msg first;

    (void)add_row(w, 1, "Junk");
    take_snapshot(w);
    assert_int_equal(
        renameat(w->dirfd, "mail/01/snapshot.db", w->dirfd, "mail/01/snapshot.old.db"),
        0);
    take_snapshot(w);
    scribble(w, "snapshot.db");
    lose_index(w);
    open_it(w);
    assert_true(w->r.is_done && w->r.has_snapshot);
    assert_int_equal(count(w, "Junk", &first), 1);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(an_empty_store_is_no_loss),
        CASE(without_snapshot_all_files_are_in_inbox),
        CASE(a_delivery_put_back_is_known),
        CASE(a_snapshot_keeps_mailboxes_and_flags),
        CASE(a_damaged_index_is_put_aside),
        CASE(a_damaged_snapshot_leads_to_the_one_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
