/* SPDX-License-Identifier: ISC */
/* zones/image.h - a compiled zone: every answer ready to be copied behind its question.
 *
 * Why:       dnsd must answer without allocating, sorting or compressing; all that is done
 *            once per change by image_build() (zones/image_build.h).
 * Ownership: struct image borrows the octets; they must stay and be aligned to 8.
 * Threads:   constant data, read by any number of threads.
 * Pure:      no I/O, no clock, no globals.
 *
 * One arena, offsets from its start instead of pointers, in the byte order of the machine
 * (the magic tells). image_open() checks every offset, length and count once, so that the
 * readers below need no checks and a damaged image is refused as a whole.
 *
 *   header | nodes[] | slots[] (hash: node number + 1) | names, type lists, answers
 *
 * A node is a name that exists: an owner, or an empty non-terminal between owners. Names
 * below a delegation or a DNAME are no nodes. So: if a name is a node, so are all its
 * ancestors up to the apex, and the closest encloser can be searched by halves.
 *
 * An answer is the message behind the question: answer, authority and additional section,
 * compressed as if QNAME were the name `base_len` octets long that it was compiled for. When
 * the real QNAME is `d` octets longer (wildcard, negative answer, referral), each pointer
 * listed in relocs[] has to be raised by d; nothing else depends on QNAME. */
#ifndef ZONES_IMAGE_H
#define ZONES_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/core/span.h"

#define IMAGE_MAGIC    0x315a5053u /* "SPZ1" on little-endian machines */
#define IMAGE_VERSION  1
#define IMAGE_NONE     UINT32_MAX
#define IMAGE_BODY_MAX 65200u /* leaves room for header, question, OPT in 65535 */
#define IMAGE_SIZE_MAX (512u << 20)

struct image_header {
    uint32_t magic;
    uint16_t version;
    uint16_t reserved;
    uint32_t size; /* octets of the whole image */
    uint32_t crc;  /* CRC-32C of what follows this field */
    uint64_t hash_key[2];
    uint32_t soa_serial;
    uint32_t records;
    uint32_t n_nodes; /* node 0 is the apex */
    uint32_t nodes_at;
    uint32_t slots_at;
    uint32_t slot_mask;   /* number of slots - 1; a power of two minus 1 */
    uint32_t nxdomain_at; /* the answer for names that do not exist */
    uint32_t reserved2;
};

enum image_node_flag {
    IMAGE_CUT = 1,   /* delegation: `other` is the referral, also for all names below */
    IMAGE_DNAME = 2, /* all names below are renamed by this node's DNAME record */
};

/* Where the target name begins in the body of a DNAME answer: behind owner pointer, type,
 * class, TTL and length. */
#define IMAGE_DNAME_NAME 12

struct image_node {
    uint32_t name_at;  /* wire form, lower case */
    uint32_t types_at; /* struct image_type[n_types], each type once */
    uint32_t other_at; /* answer for every type that is not listed */
    uint32_t wildcard; /* node "*" below this one, or IMAGE_NONE */
    uint16_t n_types;
    uint16_t flags;
    uint8_t name_len;
    uint8_t labels;
    uint16_t reserved;
};

struct image_type {
    uint16_t type;
    uint16_t reserved;
    uint32_t answer_at;
};

enum image_answer_flag { IMAGE_AA = 1 };

/* Followed by struct image_part[n_parts], uint16_t relocs[n_relocs], octets[len]. */
struct image_answer {
    uint16_t counts[3]; /* records in answer, authority, additional */
    uint16_t len;       /* octets of the body */
    uint16_t n_relocs;
    uint8_t base_len; /* octets of the name it was compiled for */
    uint8_t rcode;
    uint8_t flags;
    uint8_t n_parts;
};

/* One RRset; an answer that is too long is cut at these borders. */
struct image_part {
    uint16_t end;        /* octets of the body up to and with this RRset */
    uint16_t count;      /* records */
    uint8_t section;     /* 0 answer, 1 authority, 2 additional */
    uint8_t is_optional; /* may be left out without setting TC */
};

struct image {
    const uint8_t *p;
    const struct image_header *head;
    const struct image_node *nodes;
    const uint32_t *slots;
};

/* Check everything in `octets` and fill *im. -1 with *err when anything is wrong. */
MUST_USE int image_open(struct span octets, struct image *im, struct err *err);

/* Number of the node with this name (wire form, lower case), or IMAGE_NONE. */
uint32_t image_find(const struct image *im, struct span lower_name);
/* The answer of this node for this type. */
const struct image_answer *image_pick(const struct image *im, const struct image_node *n,
                                      uint16_t type);

static inline const struct image_answer *image_answer_at(const struct image *im,
                                                         uint32_t at)
{
    return (const struct image_answer *)(const void *)(im->p + at);
}
static inline struct span image_node_name(const struct image *im,
                                          const struct image_node *n)
{
    return (struct span){im->p + n->name_at, n->name_len};
}
static inline struct span image_apex(const struct image *im)
{
    return image_node_name(im, &im->nodes[0]);
}
static inline const struct image_part *image_parts(const struct image_answer *a)
{
    return (const struct image_part *)(const void *)(a + 1);
}
static inline const uint16_t *image_relocs(const struct image_answer *a)
{
    return (const uint16_t *)(const void *)(image_parts(a) + a->n_parts);
}
static inline const uint8_t *image_body(const struct image_answer *a)
{
    return (const uint8_t *)(image_relocs(a) + a->n_relocs);
}

#endif
