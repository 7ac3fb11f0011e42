/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "maild/store/blob.h"
#include "maild/store/segments.h"
#include "tests/unit/maild/store/fs_sandbox.h"

#define OCTETS SEGMENTS_OCTETS_MIN

struct world {
    char dir[64], journal[80];
    struct fsbox sb;
    struct segments *s;
};

/* Collect the numbers of replayed records. */
struct seen {
    unsigned v[4096];
    size_t n;
};

static int collect(void *ctx, const struct record *r, struct err *err)
{
    struct seen *seen = ctx;
    unsigned number;

    (void)err;
    assert_int_equal(r->type, 7);
    assert_true(r->payload.n >= sizeof(number));
    memcpy(&number, r->payload.p, sizeof(number));
    for (size_t i = sizeof(number); i < r->payload.n; i++)
        assert_int_equal(r->payload.p[i], (uint8_t)number);
    seen->v[seen->n++] = number;
    return 0;
}

static void make_dir(struct world *w)
{
    memset(w, 0, sizeof(*w));
    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/signpost-store-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    (void)snprintf(w->journal, sizeof(w->journal), "%s/journal", w->dir);
    fsbox_init(&w->sb);
}

static void remove_dir(struct world *w)
{
    char cmd[128];

    segments_close(&w->s);
    fsbox_free(&w->sb);
    (void)snprintf(cmd, sizeof(cmd), "rm -rf %s", w->dir);
    assert_int_equal(system(cmd), 0);
}

static int reopen(struct world *w, struct seen *seen, struct err *err)
{
    segments_close(&w->s);
    seen->n = 0;
    w->s = segments_open(&w->sb.ops, w->journal, OCTETS, err);
    return w->s == NULL ? -1 : segments_replay(w->s, collect, seen, err);
}

static int setup(void **state)
{
    struct world *w = mem_new(1, sizeof(*w));
    struct seen seen;
    struct err err;

    make_dir(w);
    assert_int_equal(reopen(w, &seen, &err), 0);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    remove_dir(*state);
    free(*state);
    return 0;
}

/* One record of `n` octets whose content tells its number. */
static int put(struct world *w, unsigned number, size_t n, bool is_durable,
               struct err *err)
{
    uint8_t *payload = mem_new(1, n);
    struct span part = span_of(payload, n);
    struct buf b;
    int rc;

    memset(payload, (int)(number & 0xff), n);
    memcpy(payload, &number, sizeof(number));
    buf_init(&b, RECORD_PAYLOAD_MAX + 1024);
    assert_int_equal(record_encode(7, &part, 1, &b), 0);
    rc = segments_append(w->s, b.data, b.len, is_durable, err);
    buf_free(&b);
    free(payload);
    return rc;
}

static void records_come_back_in_order_across_segments(void **state)
{
    struct world *w = *state;
    struct seen seen;
    struct err err;

    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(put(w, i, 40000, true, &err), 0);
    assert_true(segments_count(w->s) >= 4);
    assert_int_equal(reopen(w, &seen, &err), 0);
    assert_int_equal(seen.n, 100);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(seen.v[i], i);
}

static void released_segments_are_reused_and_not_replayed(void **state)
{
    struct world *w = *state;
    struct seen seen;
    struct err err;

    for (unsigned round = 0; round < 4; round++) {
        for (unsigned i = 0; i < 60; i++)
            assert_int_equal(put(w, round * 100 + i, 40000, true, &err), 0);
        assert_int_equal(segments_roll(w->s, &err), 0);
        assert_int_equal(segments_release(w->s, segments_end(w->s), &err), 0);
        assert_int_equal(segments_count(w->s), 1);
    }
    assert_int_equal(put(w, 999, 100, true, &err), 0);
    assert_int_equal(reopen(w, &seen, &err), 0);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.v[0], 999);
}

/* Change octets of the newest segment file. */
static void damage(struct world *w, const char *name, off_t at, const void *p, size_t n)
{
    char path[128];
    int fd;

    segments_close(&w->s);
    (void)snprintf(path, sizeof(path), "%s/%s", w->journal, name);
    fd = open(path, O_RDWR);
    assert_int_not_equal(fd, -1);
    assert_int_equal(pwrite(fd, p, n, at), (ssize_t)n);
    (void)close(fd);
}

static void torn_end_is_dropped(void **state)
{
    struct world *w = *state;
    struct seen seen;
    struct err err;

    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(put(w, i, 1000, true, &err), 0);
    /* third record: begins at 40 + 2 * 1032 */
    damage(w, "00000001.seg", 40 + 2 * 1032 + 500, "x", 1);
    assert_int_equal(reopen(w, &seen, &err), 0);
    assert_int_equal(seen.n, 2);
    /* and work goes on behind it */
    assert_int_equal(put(w, 77, 1000, true, &err), 0);
    assert_int_equal(reopen(w, &seen, &err), 0);
    assert_int_equal(seen.n, 3);
    assert_int_equal(seen.v[2], 77);
}

static void torn_batch_is_dropped_as_a_whole_from_the_tear_on(void **state)
{
    struct world *w = *state;
    struct seen seen;
    struct err err;
    struct buf b;
    uint8_t payload[1000] = {0};
    struct span part = span_of(payload, sizeof(payload));

    assert_int_equal(put(w, 0, 1000, true, &err), 0);
    buf_init(&b, 65536);
    for (unsigned i = 1; i < 4; i++) {
        memset(payload, (int)i, sizeof(payload));
        memcpy(payload, &i, sizeof(i));
        assert_int_equal(record_encode(7, &part, 1, &b), 0);
    }
    assert_int_equal(segments_append(w->s, b.data, b.len, true, &err), 0);
    buf_free(&b);
    /* The disk wrote the batch's third record but not its second: none was promised. */
    damage(w, "00000001.seg", 40 + 2 * 1032 + 100, "x", 1);
    assert_int_equal(reopen(w, &seen, &err), 0);
    assert_int_equal(seen.n, 2);
}

static void damage_below_a_promise_stops_with_file_and_offset(void **state)
{
    struct world *w = *state;
    struct seen seen;
    struct err err;
    int fd;
    char path[128];

    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(put(w, i, 1000, true, &err), 0);
    damage(w, "00000001.seg", 40 + 1032 + 500, "x", 1);
    assert_int_equal(reopen(w, &seen, &err), -1);
    assert_non_null(strstr(err.text, "00000001.seg is damaged at offset 1072"));
    /* A person may decide to go on. */
    (void)snprintf(path, sizeof(path), "%s/skip-damage", w->journal);
    fd = open(path, O_CREAT | O_WRONLY, 0600);
    (void)close(fd);
    assert_int_equal(reopen(w, &seen, &err), 0);
    assert_int_equal(segments_skipped(w->s), 1);
    assert_int_equal(access(path, F_OK), -1);
}

static void missing_segment_stops(void **state)
{
    struct world *w = *state;
    struct seen seen;
    struct err err;
    char path[128];

    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(put(w, i, 40000, true, &err), 0);
    segments_close(&w->s);
    (void)snprintf(path, sizeof(path), "%s/00000002.seg", w->journal);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(reopen(w, &seen, &err), -1);
    assert_non_null(strstr(err.text, "segment 00000002 is missing"));
}

static void second_process_is_refused(void **state)
{
    struct world *w = *state;
    struct err err;
    struct segments *other = segments_open(&w->sb.ops, w->journal, OCTETS, &err);

    assert_null(other);
    assert_non_null(strstr(err.text, "in use by another process"));
}

static void failed_sync_is_never_replayed(void **state)
{
    struct world *w = *state;
    struct seen seen;
    struct err err;

    assert_int_equal(put(w, 1, 1000, true, &err), 0);
    w->sb.mode = FSBOX_FAIL;
    w->sb.error = EIO;
    w->sb.at = w->sb.calls + 2; /* the sync behind the write */
    assert_int_equal(put(w, 2, 1000, true, &err), -1);
    assert_int_equal(err.sys, EIO);
    w->sb.mode = FSBOX_COUNT;
    assert_int_equal(put(w, 3, 1000, true, &err), 0);
    assert_int_equal(reopen(w, &seen, &err), 0);
    assert_int_equal(seen.n, 2);
    assert_int_equal(seen.v[0], 1);
    assert_int_equal(seen.v[1], 3);
}

static void full_disk_refuses_and_recovers(void **state)
{
    struct world *w = *state;
    struct seen seen;
    struct err err;
    unsigned i = 0;

    /* Every call that may want room, one after the other. */
    while (i < 60)
        assert_int_equal(put(w, i++, 40000, true, &err), 0);
    for (unsigned k = 1; k < 12; k++) {
        assert_int_equal(segments_roll(w->s, &err), 0);
        w->sb.mode = FSBOX_FAIL;
        w->sb.error = ENOSPC;
        w->sb.at = w->sb.calls + k;
        if (put(w, 5000 + k, 40000, true, &err) == 0)
            i++;
        else
            assert_int_equal(err.sys, ENOSPC);
        w->sb.mode = FSBOX_COUNT;
        assert_int_equal(put(w, 6000 + k, 100, true, &err), 0);
        i++;
    }
    assert_int_equal(reopen(w, &seen, &err), 0);
    assert_int_equal(seen.n, i);
}

/* Crash: one life of journal and blobs, stopped at every call ------------------------------ */

enum { MESSAGES = 8 };

struct life {
    bool is_promised[MESSAGES]; /* append returned 0: "250" */
    bool is_finished[MESSAGES]; /* delivered elsewhere durably, blob removal begun */
};

static struct msgid id_of(unsigned number)
{
    struct msgid id;

    memset(id.b, (int)(number * 37 + 1), sizeof(id.b));
    return id;
}

static int write_blob(const struct blob_store *bs, unsigned number, struct err *err)
{
    struct blob_head h = {
        .id = id_of(number), .accepted_s = 1, .envelope = SPAN_LIT("envelope")};
    uint8_t text[3000] = {0};
    struct span part = span_of(text, sizeof(text));

    memset(text, (int)number, sizeof(text));
    return blob_write(bs, &h, &part, 1, err);
}

/* Accept, write files, checkpoint, finish some; in three rounds. */
static int live(struct world *w, struct blob_store *bs, struct life *l, struct err *err)
{
    for (unsigned i = 0; i < MESSAGES; i++) {
        struct msgid id = id_of(i);

        if (put(w, i, 90000, true, err) == -1)
            return -1;
        l->is_promised[i] = true;
        if (write_blob(bs, i, err) == -1)
            return -1;
        if (i % 3 != 2)
            continue;
        if (segments_roll(w->s, err) == -1)
            return -1;
        for (unsigned k = i - 2; k <= i; k++) {
            id = id_of(k);
            if (blob_sync(bs, &id, 1, err) == -1 || blob_sync_names(bs, &id, err) == -1)
                return -1;
        }
        if (segments_release(w->s, segments_end(w->s), err) == -1)
            return -1;
        id = id_of(i - 1);
        l->is_finished[i - 1] = true;
        if (blob_remove(bs, &id, err) == -1)
            return -1;
    }
    return 0;
}

static bool blob_is_whole(const struct blob_store *bs, unsigned number)
{
    struct msgid id = id_of(number);
    struct blob_head h;
    struct buf space;
    struct err err;
    uint8_t text[3000];
    bool ok;
    int fd;

    buf_init(&space, BLOB_HEAD_MAX);
    fd = blob_open_head(bs, &id, &space, &h, &err);
    ok = fd != -1 && h.size == sizeof(text) &&
         pread(fd, text, sizeof(text), (off_t)h.offset) == (ssize_t)sizeof(text);
    for (size_t i = 0; ok && i < sizeof(text); i++)
        ok = text[i] == (uint8_t)number;
    if (fd != -1)
        (void)close(fd);
    buf_free(&space);
    return ok;
}

struct recovery {
    struct blob_store *bs;
    struct seen seen;
};

static int rewrite(void *ctx, const struct record *r, struct err *err)
{
    struct recovery *v = ctx;

    assert_int_equal(collect(&v->seen, r, err), 0);
    return write_blob(v->bs, v->seen.v[v->seen.n - 1], err);
}

/* Everything promised and not finished is there, whole, after one recovery. */
static void check_life(struct world *w, const struct life *l, unsigned at)
{
    struct recovery v = {0};
    struct err err = {0};

    segments_close(&w->s);
    w->sb.mode = FSBOX_COUNT;
    v.bs = blob_store_open(&w->sb.ops, w->dir, &err);
    assert_non_null(v.bs);
    w->s = segments_open(&w->sb.ops, w->journal, OCTETS, &err);
    assert_non_null(w->s);
    if (segments_replay(w->s, rewrite, &v, &err) == -1)
        fail_msg("stopped at call %u: %s", at, err.text);
    for (unsigned i = 0; i < MESSAGES; i++) {
        if (l->is_promised[i] && !l->is_finished[i] && !blob_is_whole(v.bs, i))
            fail_msg("stopped at call %u: message %u is lost", at, i);
    }
    blob_store_close(&v.bs);
}

enum ending { KILLED, POWER_LOST, POWER_LOST_PARTLY };

static void stop_everywhere(enum ending ending)
{
    struct rng rng;

    rng_seeded_init(&rng, 7);
    for (unsigned at = 1;; at++) {
        struct life l = {0};
        struct blob_store *bs;
        struct world w;
        struct seen seen;
        struct err err;
        int rc = -1;

        make_dir(&w);
        w.sb.mode = FSBOX_STOP;
        w.sb.at = at;
        bs = blob_store_open(&w.sb.ops, w.dir, &err);
        if (bs != NULL && reopen(&w, &seen, &err) == 0)
            rc = live(&w, bs, &l, &err);
        blob_store_close(&bs);
        segments_close(&w.s);
        if (ending == KILLED)
            fsbox_kill(&w.sb);
        else
            fsbox_power_loss(&w.sb, ending == POWER_LOST ? NULL : &rng);
        check_life(&w, &l, at);
        remove_dir(&w);
        if (rc == 0)
            break;
    }
}

static void killed_at_any_call_nothing_promised_is_lost(void **state)
{
    (void)state;
    stop_everywhere(KILLED);
}

static void power_lost_at_any_call_nothing_promised_is_lost(void **state)
{
    (void)state;
    stop_everywhere(POWER_LOST);
}

static void power_lost_with_random_parts_written(void **state)
{
    (void)state;
    stop_everywhere(POWER_LOST_PARTLY);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(records_come_back_in_order_across_segments),
        CASE(released_segments_are_reused_and_not_replayed),
        CASE(torn_end_is_dropped),
        CASE(torn_batch_is_dropped_as_a_whole_from_the_tear_on),
        CASE(damage_below_a_promise_stops_with_file_and_offset),
        CASE(missing_segment_stops),
        CASE(second_process_is_refused),
        CASE(failed_sync_is_never_replayed),
        CASE(full_disk_refuses_and_recovers),
        cmocka_unit_test(killed_at_any_call_nothing_promised_is_lost),
        cmocka_unit_test(power_lost_at_any_call_nothing_promised_is_lost),
        cmocka_unit_test(power_lost_with_random_parts_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
