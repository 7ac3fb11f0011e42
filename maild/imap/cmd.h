/* SPDX-License-Identifier: ISC */
/* maild/imap/cmd.h - one IMAP command, taken apart (RFC 3501 section 9).
 *
 * Why:       the parser fills it, whoever executes reads it; nothing else passes between
 *            the two.
 * Ownership: everything lives in the session's arena until the next command begins.
 * Pure:      types only. */
#ifndef MAILD_IMAP_CMD_H
#define MAILD_IMAP_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/core/span.h"

#define IMAP_PATH_MAX     64  /* numbers of one section: 1.2.3... */
#define IMAP_FIELDS_MAX   100 /* names in one HEADER.FIELDS */
#define IMAP_ITEMS_MAX    100 /* of one FETCH */
#define IMAP_KEYWORDS_MAX 56  /* flags that are not system flags, per account */
#define IMAP_KEYWORD_LEN  64
#define IMAP_STAR         UINT32_MAX /* "*" in a set */

enum imap_op {
    IMAP_OP_CAPABILITY,
    IMAP_OP_NOOP,
    IMAP_OP_LOGOUT,
    IMAP_OP_ID,
    IMAP_OP_STARTTLS,
    IMAP_OP_LOGIN,
    IMAP_OP_AUTHENTICATE,
    IMAP_OP_ENABLE,
    IMAP_OP_NAMESPACE,
    IMAP_OP_SELECT,
    IMAP_OP_EXAMINE,
    IMAP_OP_CREATE,
    IMAP_OP_DELETE,
    IMAP_OP_RENAME,
    IMAP_OP_SUBSCRIBE,
    IMAP_OP_UNSUBSCRIBE,
    IMAP_OP_LIST,
    IMAP_OP_LSUB,
    IMAP_OP_STATUS,
    IMAP_OP_APPEND,
    IMAP_OP_IDLE,
    IMAP_OP_CHECK,
    IMAP_OP_CLOSE,
    IMAP_OP_UNSELECT,
    IMAP_OP_EXPUNGE,
    IMAP_OP_SEARCH,
    IMAP_OP_FETCH,
    IMAP_OP_STORE,
    IMAP_OP_COPY,
    IMAP_OP_MOVE,
    IMAP_OP_COUNT
};

/* System flags (RFC 3501 2.3.2) are the low bits of a message's flags; keywords follow
 * from bit IMAP_FLAG_KEYWORD up, numbered per account. */
enum imap_flag {
    IMAP_FLAG_ANSWERED = 1,
    IMAP_FLAG_FLAGGED = 2,
    IMAP_FLAG_DELETED = 4,
    IMAP_FLAG_SEEN = 8,
    IMAP_FLAG_DRAFT = 16,
    IMAP_FLAG_RECENT = 32, /* never stored: belongs to one session */
};
#define IMAP_FLAGS_SYSTEM 31u
#define IMAP_FLAG_KEYWORD 8

struct imap_flags {
    uint32_t system;
    size_t n;
    struct span *keywords;
};

/* Ranges with lo <= hi, sorted, not touching. IMAP_STAR as hi is "*"; as lo too it is "*"
 * alone. */
struct imap_range {
    uint32_t lo, hi;
};
struct imap_set {
    size_t n;
    struct imap_range *ranges;
};

enum imap_item_kind {
    IMAP_ITEM_UID,
    IMAP_ITEM_FLAGS,
    IMAP_ITEM_INTERNALDATE,
    IMAP_ITEM_SIZE,
    IMAP_ITEM_ENVELOPE,
    IMAP_ITEM_BODY, /* BODYSTRUCTURE without extension data */
    IMAP_ITEM_BODYSTRUCTURE,
    IMAP_ITEM_SECTION, /* BODY[...] and the RFC822 forms */
};

enum imap_section_what {
    IMAP_SECTION_ALL,
    IMAP_SECTION_HEADER,
    IMAP_SECTION_FIELDS,
    IMAP_SECTION_FIELDS_NOT,
    IMAP_SECTION_TEXT,
    IMAP_SECTION_MIME,
};

struct imap_section {
    enum imap_section_what what;
    int depth;
    uint32_t path[IMAP_PATH_MAX];
    size_t n_fields;
    struct span *fields;
    bool is_partial;
    uint32_t offset, count;
};

struct imap_item {
    enum imap_item_kind kind;
    bool is_peek; /* does not set \Seen */
    const char
        *rfc822; /* "RFC822.HEADER" ...: how the answer calls it; NULL: BODY[...] */
    struct imap_section section;
};

enum imap_key_kind {
    IMAP_KEY_ALL,
    IMAP_KEY_AND, /* children */
    IMAP_KEY_OR,  /* children: two */
    IMAP_KEY_NOT, /* children: one */
    IMAP_KEY_SEQ,
    IMAP_KEY_UID,
    IMAP_KEY_FLAG,    /* number: a flag bit of enum imap_flag */
    IMAP_KEY_KEYWORD, /* text */
    IMAP_KEY_LARGER,
    IMAP_KEY_SMALLER,
    IMAP_KEY_BEFORE, /* date: internal date, day number */
    IMAP_KEY_ON,
    IMAP_KEY_SINCE,
    IMAP_KEY_SENT_BEFORE,
    IMAP_KEY_SENT_ON,
    IMAP_KEY_SENT_SINCE,
    IMAP_KEY_OLDER, /* RFC 5032: number of seconds */
    IMAP_KEY_YOUNGER,
    IMAP_KEY_HEADER, /* field, text (may be empty: has the field) */
    IMAP_KEY_BODY,
    IMAP_KEY_TEXT,
};

struct imap_key {
    enum imap_key_kind kind;
    struct imap_key *child; /* first of the operands */
    struct imap_key *next;  /* next operand of the same parent */
    struct imap_set set;
    struct span field;
    struct span text; /* UTF-8, folded for comparison */
    uint64_t number;
    int64_t day; /* days since 1970-01-01 */
};

enum imap_status_item {
    IMAP_STATUS_MESSAGES = 1,
    IMAP_STATUS_RECENT = 2,
    IMAP_STATUS_UIDNEXT = 4,
    IMAP_STATUS_UIDVALIDITY = 8,
    IMAP_STATUS_UNSEEN = 16,
    IMAP_STATUS_SIZE = 32, /* RFC 8438 */
};

enum imap_list_option {
    IMAP_LIST_SUBSCRIBED = 1, /* selection */
    IMAP_LIST_REMOTE = 2,
    IMAP_LIST_RECURSIVE = 4,
    IMAP_LIST_SPECIAL = 8,       /* RFC 6154 */
    IMAP_LIST_R_SUBSCRIBED = 16, /* RETURN */
    IMAP_LIST_R_CHILDREN = 32,
    IMAP_LIST_R_SPECIAL = 64,
    IMAP_LIST_R_STATUS = 128, /* RFC 5819 */
    IMAP_LIST_EXTENDED = 256, /* any of the new forms was used */
};

enum imap_search_return {
    IMAP_RETURN_MIN = 1,
    IMAP_RETURN_MAX = 2,
    IMAP_RETURN_ALL = 4,
    IMAP_RETURN_COUNT = 8,
    IMAP_RETURN_EXTENDED = 16, /* RETURN was there: answer with ESEARCH (RFC 4731) */
};

struct imap_cmd {
    struct span tag;
    enum imap_op op;
    bool is_uid;
    /* A mailbox name was not modified UTF-7 or not a possible name: NO, not BAD. */
    bool is_name_bad;
    struct span mailbox, mailbox2; /* UTF-8, INBOX in capitals */
    struct span user, password;    /* LOGIN */
    struct span mech, initial;     /* AUTHENTICATE; initial.p NULL when there was none */
    struct imap_set set;
    size_t n_items;
    struct imap_item *items;
    struct imap_flags flags;
    int store_sign; /* +1, -1, 0: replace */
    bool is_silent;
    struct imap_key *key;
    unsigned search_return; /* enum imap_search_return */
    bool is_charset_bad;
    unsigned list_options;
    struct span reference;
    size_t n_patterns;
    struct span *patterns; /* like the reference as sent: compared in modified UTF-7 */
    unsigned status_items;
    size_t n_words; /* ENABLE */
    struct span *words;
};

/* One message of APPEND, known when its literal is announced. */
struct imap_append {
    struct span mailbox; /* first message only */
    bool is_name_bad;
    struct imap_flags flags;
    bool has_date;
    int64_t date_s; /* wall clock */
    uint64_t size;
    bool is_sync; /* the client waits for "+" */
};

#endif
