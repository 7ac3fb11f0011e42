/* SPDX-License-Identifier: ISC */
/* base/conf/conf.h - signpost.conf: read, checked, asked.
 *
 * Why:       one small file, one table (base/conf/schema.c) that knows type, unit, range,
 *            default, help, and whether a reload applies a key. Every error names file,
 *            line, key, and the nearest valid key.
 * Syntax:    one `key value...` a line, # comments, double quotes around blanks; `listen`
 *            and other repeatable keys may stand many times. No includes, no macros.
 *            Numbers may carry a suffix of their unit: K M G (1024) octets, s m h d w.
 * Ownership: the caller frees; texts live as long as the conf.
 * Threads:   read-only once made.
 * Pure:      conf_parse works on text; conf_load (base/conf/load.c) reads the file. */
#ifndef BASE_CONF_CONF_H
#define BASE_CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/core/ipaddr.h"
#include "base/core/span.h"

struct conf;

/* Parse text. `name` is used in messages. NULL with *err (one line, the first fault). */
struct conf *conf_parse(const char *name, struct span text, struct err *err);
struct conf *conf_load(const char *path, struct err *err);
void conf_free(struct conf **c);
/* The text it was made from, borrowed: what a process hands to those it starts. */
struct span conf_source(const struct conf *c);
/* From now on data_dir, and every path that stands below it by default, begin at `dir`:
 * for a process whose root is the data directory ("/"). Texts asked for before are gone. */
void conf_move_data_dir(struct conf *c, const char *dir);

/* Values by key; asking for a key or type that the schema does not have is a bug (assert).
 * Unset keys give the schema's default. */
const char *conf_text(const struct conf *c, const char *key); /* any key but repeatable */
int64_t conf_int(const struct conf *c, const char *key);      /* in the key's unit */
bool conf_bool(const struct conf *c, const char *key);
/* The i-th value of a CONF_ADDR key; false past the end. */
bool conf_addr(const struct conf *c, const char *key, size_t i, struct ipaddr *addr);
/* Repeatable keys: count, and the value with its words joined by one blank. */
size_t conf_count(const struct conf *c, const char *key);
const char *conf_nth(const struct conf *c, const char *key, size_t i);
/* True when `key` has the same value, or values, in both. */
bool conf_same(const struct conf *a, const struct conf *b, const char *key);
/* True when the file sets the key, even if to the default. */
bool conf_is_set(const struct conf *c, const char *key);

enum conf_service {
    CONF_DNS,
    CONF_SMTP,
    CONF_SUBMISSION,
    CONF_SUBMISSIONS,
    CONF_IMAP,
    CONF_IMAPS,
    CONF_SERVICE_COUNT
};
/* The i-th `listen SERVICE ADDR:PORT`; false past the end. */
bool conf_listen(const struct conf *c, size_t i, enum conf_service *service,
                 struct ipaddr *addr, uint16_t *port);
/* The same of one such value. False when it is none. */
bool conf_listen_value(const char *text, enum conf_service *service, struct ipaddr *addr,
                       uint16_t *port);
/* The word that names it in `listen`. */
const char *conf_service_name(enum conf_service service);
/* "<data_dir>/<rest>" and "<run_dir>/<rest>" in a heap string; the caller frees. */
MUST_USE char *conf_path(const struct conf *c, const char *rest);
MUST_USE char *conf_run_path(const struct conf *c, const char *rest);

enum conf_type {
    CONF_TEXT,   /* any text */
    CONF_PATH,   /* file or directory */
    CONF_INT,    /* whole number with unit and range */
    CONF_BOOL,   /* yes or no */
    CONF_CHOICE, /* one of a few words */
    CONF_HOST,   /* host name with at least one dot, stored in lower case */
    CONF_ZONE,   /* any domain name, stored with its final dot */
    CONF_ADDR,   /* IPv4 or IPv6 address */
    CONF_SERVER, /* ADDR or ADDR@PORT */
    CONF_LISTEN  /* SERVICE ADDR:PORT */
};

/* One row of the table, for --help, the manual page and `signpost` completion. */
struct conf_key {
    const char *key;
    enum conf_type type;
    const char *unit;     /* CONF_INT: "s", "octets", or "" for a plain count */
    int64_t min, max;     /* CONF_INT */
    const char *choices;  /* CONF_CHOICE: the words, separated by one blank */
    const char *fallback; /* default as text, "" for "not set"; NULL: must be set. A path
                             that begins with "%D/" stands below data_dir */
    bool is_repeatable;
    bool is_reloadable;  /* the file it names is read anew on every SIGHUP, also when the
                             configuration is the same */
    const char *example; /* a line's value, for messages and the manual page */
    const char *help;
};
extern const struct conf_key conf_schema[];
extern const size_t conf_schema_count;

#endif
