/* SPDX-License-Identifier: ISC */
/* maild/mailbox/index_int.h - what the files of the index share. */
#ifndef MAILD_MAILBOX_INDEX_INT_H
#define MAILD_MAILBOX_INDEX_INT_H

#include "base/db/db.h"
#include "maild/mailbox/index.h"

struct index {
    struct db *db;
    int64_t forgot_s; /* when deliveries of long ago were last forgotten */
};

/* Run a statement that gives no rows. EXISTS when a constraint says no. */
enum index_result index_run(struct db_stmt *s, struct err *err);
/* Columns account, msgid, number, head, size, from `col` on. */
void index_read_file(struct db_stmt *s, int col, struct index_file *f);
/* Run a statement that gives one row: OK with the row current (db_reset() is due), NONE. */
enum index_result index_one(struct db_stmt *s, struct err *err);

#endif
