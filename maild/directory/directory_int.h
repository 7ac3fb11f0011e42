/* SPDX-License-Identifier: ISC */
/* maild/directory/directory_int.h - what the two files of the role share: its state and a
 * question on its way.
 *
 * Ownership: directory.c makes and frees the role; a job frees itself with its answer.
 * Threads:   the role's loop; a job belongs to a pool thread while its work runs there. */
#ifndef MAILD_DIRECTORY_DIRECTORY_INT_H
#define MAILD_DIRECTORY_DIRECTORY_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/buf.h"
#include "base/core/ipaddr.h"
#include "base/core/list.h"
#include "base/core/wire.h"
#include "base/io/pool.h"
#include "maild/directory/authcache.h"
#include "maild/directory/lookup.h"
#include "maild/directory/rcptcache.h"
#include "maild/directory/throttle.h"
#include "maild/roles.h"

#define ANSWER_MAX    (40u * 1024u)
#define LOGIN_MAX     320
#define PASSWORD_MAX  1024
#define NAME_MAX_TEXT 512

struct directory {
    struct role_env *env;
    struct pool *db;
    struct pool *hash;
    struct lookup *lookup; /* the database thread's */
    struct throttle *throttle;
    struct authcache *cache;
    struct rcptcache *rcpts;
    struct list undecided; /* AUTHs that hold tokens of the throttle (auth.c) */
    struct list waiting;   /* AUTHs that wait for one of these to give them back */
    size_t n_waiting;
};

/* One question on its way. */
struct job {
    struct directory *d;
    struct ipc *asker;
    uint64_t call;
    struct err err;

    /* RCPT, SENDER, SMTP_IN_DOMAIN */
    char name[NAME_MAX_TEXT + 1]; /* address or domain */
    size_t name_n;
    uint64_t login_account;
    uint8_t status; /* of the answer */
    struct buf targets;
    struct rcptcache_stamp stamp; /* of RCPT: before the database was asked */

    /* AUTH */
    struct list link; /* in undecided or waiting */
    bool is_undecided;
    uint8_t service;
    struct ipaddr peer;
    char login[LOGIN_MAX + 1];
    size_t login_n;
    uint8_t password[PASSWORD_MAX];
    size_t password_n;
    enum domaindb_result found;
    struct lookup_login who;
    bool is_match;
};

struct job *job_new(struct directory *d, struct ipc *asker, uint64_t call);
void job_free(struct job *j);
/* Send `w` as the answer. An asker that is gone needs none; one whose channel is full times
 * out, which it must be able to do anyway. */
void job_answer(const struct job *j, uint16_t type, const struct wr *w);
/* A database fault goes to the log; the asker is told to try later. */
void directory_fault(const struct directory *d, const char *what, const struct err *err);

/* maild/directory/auth.c: forget who waits. */
void directory_auth_stop(struct directory *d);
/* The question AUTH. False when it does not decode. */
bool directory_on_auth(struct directory *d, struct ipc *asker, const struct ipc_in *in);

#endif
