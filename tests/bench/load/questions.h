/* SPDX-License-Identifier: ISC */
/* tests/bench/load/questions.h - a file of DNS questions, and what is a right answer to each.
 *
 * Why:       a load program must judge what it counts, cheaper than the server answers.
 * Ownership: the caller owns the struct; questions and packets belong to it until the end of
 *            the program. */
#ifndef TESTS_BENCH_LOAD_QUESTIONS_H
#define TESTS_BENCH_LOAD_QUESTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/core/buf.h"
#include "base/core/span.h"

enum { QUESTION_OCTETS_MAX = 512 };

struct question {
    uint32_t at; /* of its packet */
    uint16_t len;
    uint8_t rcode;
    bool wants_none; /* NODATA */
    bool is_known;   /* `sum` is of a right answer */
    uint32_t sum;    /* of its octets behind the ID */
};

struct questions {
    struct buf packets;
    struct question *at;
    size_t n, cap;
};

/* "name type [rcode]" a line; see tests/bench/dnsload.c. False when the file cannot be read,
 * has none, or has a line that is none (said on standard error). */
bool questions_read(struct questions *all, const char *file);
/* The packet of a question, ID 0. */
const uint8_t *questions_packet(const struct questions *all, const struct question *q);
/* Is this the answer to that question? The ID is the caller's business. */
bool question_is_right(const struct questions *all, const struct question *q,
                       struct span reply);

#endif
