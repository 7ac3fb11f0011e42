/* SPDX-License-Identifier: ISC */
/* base/msg/mime.h - the parts of a message, by offsets, without copies (RFC 2045, 2046).
 *
 * Why:       IMAP sections, BODYSTRUCTURE, text search and later the filters all ask the
 *            same: where does part 2.1 begin and end, and what is it called.
 * Ownership: the tree lives in the caller's arena and holds offsets into the message.
 * Pure:      no I/O, no clock, no globals.
 *
 * Tolerant: every sequence of octets is a message. Line ends may be CRLF or LF. A part
 * without its blank line, a boundary that never closes, nesting past the limit: each gives
 * a tree, never an error; what cannot be taken apart stays one opaque part. */
#ifndef BASE_MSG_MIME_H
#define BASE_MSG_MIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/core/arena.h"
#include "base/core/attr.h"
#include "base/core/span.h"

#define MIME_DEPTH_MAX  32
#define MIME_PARTS_MAX  1000
#define MIME_PARAMS_MAX 32
#define MIME_NONE       (-1)

enum mime_kind { MIME_LEAF, MIME_MULTIPART, MIME_MESSAGE };

/* One entity. Offsets are from the start of the message. */
struct mime_part {
    size_t header; /* first octet of its header */
    size_t body;   /* behind the blank line that ends the header */
    size_t end;    /* behind the last octet of the body */
    size_t lines;  /* LFs in [body, end) */
    enum mime_kind kind;
    int parent, child, next; /* indices of mime_tree.parts, or MIME_NONE */
};

/* parts[0] is the message itself; children come behind their parents. */
struct mime_tree {
    struct mime_part *parts;
    int n;
};

/* A value with parameters: Content-Type, Content-Disposition. All texts are unfolded and
 * unquoted, in the arena; parameter values stay as they are otherwise (RFC 2231 forms and
 * encoded words are the reader's business). */
struct mime_param {
    struct span name, value;
};
struct mime_value {
    struct span type;    /* "text" of text/plain; "attachment" of a disposition */
    struct span subtype; /* "plain"; empty when there is none */
    int n;
    struct mime_param params[MIME_PARAMS_MAX];
};

/* Take `msg` apart. False only when the arena is full. */
MUST_USE bool mime_parse(struct span msg, struct arena *a, struct mime_tree *tree);

/* Without line ends of folds (RFC 5322 2.2.3), trimmed. p is NULL at the arena's end. */
MUST_USE struct span mime_unfold(struct span value, struct arena *a);
/* Parse "type/subtype; name=value; ..." or "disposition; ...". False when there is no
 * usable token in front; comments are skipped. */
MUST_USE bool mime_value_parse(struct span value, struct arena *a, struct mime_value *v);
/* The parameter's value, or an empty span with p == NULL. */
struct span mime_param_find(const struct mime_value *v, const char *name);

#endif
