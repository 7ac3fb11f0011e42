/* SPDX-License-Identifier: ISC */
/* deliverability/record/taglist.h - tag=value lists, as DKIM, DMARC and TLS-RPT use them.
 *
 * RFC 6376 3.2: tags are case-sensitive, separated by semicolons, white space around them
 * does not count, a tag must not stand twice. Pure; spans point into the text. */
#ifndef DELIVERABILITY_RECORD_TAGLIST_H
#define DELIVERABILITY_RECORD_TAGLIST_H

#include "base/core/err.h"
#include "base/core/span.h"

#define TAGLIST_MAX 32

struct tag {
    struct span name, value; /* trimmed */
};
struct taglist {
    struct tag tag[TAGLIST_MAX];
    size_t n;
};

/* 0, or -1 with *err: no "=", bad tag name, twice, too many. */
MUST_USE int taglist_parse(struct span text, struct taglist *l, struct err *err);
/* The value of `name`; false when it is not there. */
bool taglist_get(const struct taglist *l, const char *name, struct span *value);

#endif
