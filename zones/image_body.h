/* SPDX-License-Identifier: ISC */
/* zones/image_body.h - writes the octets of one precompiled answer.
 *
 * Why:       name compression has one home; the compiler (image_build.c) only says which
 *            RRsets go where.
 * Ownership: the struct owns its buffer until image_body_free(); reused for each answer.
 * Threads:   one owner. Pure. */
#ifndef ZONES_IMAGE_BODY_H
#define ZONES_IMAGE_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "zones/image.h"
#include "zones/model/rrset.h"

#define IMAGE_TARGETS 96  /* suffixes that names may point to */
#define IMAGE_PARTS   64  /* RRsets of one answer */
#define IMAGE_RELOCS  512 /* pointers that depend on QNAME */

struct image_target {
    struct span name;
    uint16_t at; /* in the message */
};

struct image_body {
    struct buf octets;
    struct span base; /* stands for QNAME */
    bool is_fixed;    /* QNAME is always exactly base: nothing to relocate */
    bool is_full;
    struct image_target targets[IMAGE_TARGETS];
    size_t n_targets;
    struct image_part parts[IMAGE_PARTS];
    uint8_t n_parts;
    uint16_t counts[3];
    uint16_t relocs[IMAGE_RELOCS];
    uint16_t n_relocs;
};

enum image_base {
    IMAGE_BASE_EXACT,    /* QNAME is the base */
    IMAGE_BASE_WILDCARD, /* QNAME is the base or its first label replaced by others */
    IMAGE_BASE_ABOVE,    /* QNAME is the base or something below it */
};

void image_body_init(struct image_body *b);
void image_body_free(struct image_body *b);
/* Start a new answer for questions that relate to `base` as `kind` says. */
void image_body_begin(struct image_body *b, struct span base, enum image_base kind);
/* Add an RRset. `owner` empty: the owner is QNAME itself. `ttl_s` replaces the set's. Once
 * something does not fit, is_full stays set. */
void image_body_add(struct image_body *b, unsigned section, bool is_optional,
                    const struct rrset *set, struct span owner, uint32_t ttl_s);

#endif
