/* SPDX-License-Identifier: ISC */
/* zones/domaindb.h - the domain database: signpost.db, secrets.db, keys.db.
 *
 * Why:       one open call decides paths, file modes, migrations and the wording of
 *            "somebody holds it" and "a newer program wrote it"; the nouns have files of
 *            their own: zones/{host,domain,account,alias,record,keystate,change}.h.
 * Ownership: the caller closes what it opened; one struct per thread and process.
 * Threads:   the thread that opened it.
 *
 * | file               | mode | what                                          |
 * | D/db/signpost.db   | 0640 | everything but secrets, and the change log    |
 * | D/db/secrets.db    | 0640 | scrypt hashes, by reference                   |
 * | D/keys/keys.db     | 0600 | DKIM private keys, by reference               |
 *
 * Writing is one `change` per intent (zones/change.h). What must exist before a row of
 * signpost.db refers to it (a hash, a private key) is committed first, under a random
 * reference; a crash in between leaves an orphan, which domaindb_sweep() removes. */
#ifndef ZONES_DOMAINDB_H
#define ZONES_DOMAINDB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/core/rng.h"
#include "base/core/span.h"
#include "base/db/db.h"

#define DOMAINDB_NAME_MAX    253 /* characters of a name without final dot */
#define DOMAINDB_LOCAL_MAX   64  /* octets of a local part (RFC 5321 4.5.3.1.1) */
#define DOMAINDB_ADDRESS_MAX (DOMAINDB_LOCAL_MAX + 1 + DOMAINDB_NAME_MAX)
#define DOMAINDB_REF_TEXT    32 /* hex characters of a reference, without NUL */

/* Expected outcomes of every function of the nouns; DOMAINDB_FAULT is the environment. */
enum domaindb_result {
    DOMAINDB_OK,
    DOMAINDB_NONE,    /* no such row */
    DOMAINDB_EXISTS,  /* already there */
    DOMAINDB_REFUSED, /* rules forbid it; *err names the thing and the remedy */
    DOMAINDB_FAULT    /* database; *err filled */
};

enum {
    DOMAINDB_SECRETS = 1, /* open secrets.db too */
    DOMAINDB_KEYS = 2,    /* open keys.db too */
    DOMAINDB_WRITE = 4,   /* else read-only */
    DOMAINDB_CREATE = 8   /* make and migrate what is missing (signpost setup) */
};

struct domaindb {
    struct db *main;
    struct db *secrets;  /* NULL unless asked for */
    struct db *keys;     /* NULL unless asked for */
    char *notify_dir;    /* where readers listen; NULL: nobody is told */
    int64_t open_serial; /* of the change under way, 0 when there is none */
    bool is_past;        /* shows an earlier serial (zones/past.h): no writes */
};

/* `run_dir` may be NULL (nobody is told of commits). NULL with *err when something is
 * missing (the text says which command makes it), locked, or newer than this program. */
struct domaindb *domaindb_open(const char *data_dir, const char *run_dir, unsigned flags,
                               struct err *err);
void domaindb_close(struct domaindb **d);

/* Moves when another connection commits to signpost.db: the safety net beside the
 * datagram. -1 on error. */
int64_t domaindb_data_version(struct domaindb *d);

/* A setting, or `fallback` when it is not there. `value` holds 256 octets. */
enum domaindb_result setting_get(struct domaindb *d, const char *name,
                                 const char *fallback, char value[256], struct err *err);
/* Inside a change only. */
enum domaindb_result setting_put(struct domaindb *d, const char *name, const char *value,
                                 struct err *err);

/* Remove hashes and private keys that no row refers to and that are older than an hour.
 * Needs DOMAINDB_WRITE | DOMAINDB_SECRETS | DOMAINDB_KEYS. */
MUST_USE int domaindb_sweep(struct domaindb *d, int64_t now_s, struct err *err);

/* A fresh random reference. */
void domaindb_new_ref(struct rng *rng, char ref[DOMAINDB_REF_TEXT + 1]);

#endif
