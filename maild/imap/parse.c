/* SPDX-License-Identifier: ISC */
/* The command table and the short productions. Each parse function begins behind the
 * command's name and is followed by lex_end(), so it says only what is particular.
 *
 * A production never returns early for a fault: the lexer keeps the first one and takes
 * nothing more, and imap_parse() asks once at the end. Names that are well-formed but
 * cannot be mailboxes are not faults (BAD) but remembered (is_name_bad, NO). */
#include "maild/imap/parse.h"

#include <string.h>

#define WORDS_MAX    32
#define PATTERNS_MAX 32

static bool no_arguments(struct lex *x, struct imap_cmd *cmd)
{
    (void)cmd;
    return x->fault == NULL;
}

static bool one_mailbox(struct lex *x, struct imap_cmd *cmd)
{
    (void)lex_space(x);
    cmd->mailbox = lex_mailbox(x, &cmd->is_name_bad);
    return x->fault == NULL;
}

static bool two_mailboxes(struct lex *x, struct imap_cmd *cmd)
{
    (void)one_mailbox(x, cmd);
    (void)lex_space(x);
    cmd->mailbox2 = lex_mailbox(x, &cmd->is_name_bad);
    return x->fault == NULL;
}

/* SELECT's parameters (RFC 4466) are taken and must be empty: we offer none. */
static bool parse_login(struct lex *x, struct imap_cmd *cmd)
{
    (void)lex_space(x);
    cmd->user = lex_astring(x);
    (void)lex_space(x);
    cmd->password = lex_astring(x);
    return x->fault == NULL;
}

static bool parse_authenticate(struct lex *x, struct imap_cmd *cmd)
{
    (void)lex_space(x);
    cmd->mech = lex_atom(x, "");
    cmd->initial = span_of(NULL, 0);
    if (lex_take(x, ' ')) {
        cmd->initial = lex_atom(x, "");
        if (span_eq_str(cmd->initial, "="))
            cmd->initial.n = 0; /* RFC 4959: an empty response */
    }
    return x->fault == NULL;
}

static bool parse_id(struct lex *x, struct imap_cmd *cmd)
{
    (void)cmd;
    (void)lex_space(x);
    if (!lex_take(x, '('))
        return lex_nstring(x).p == NULL && x->fault == NULL;
    if (lex_take(x, ')'))
        return true;
    do {
        (void)lex_string(x);
        (void)lex_space(x);
        (void)lex_nstring(x);
    } while (lex_take(x, ' '));
    return lex_want(x, ')', "the list of ID does not end");
}

static bool parse_enable(struct lex *x, struct imap_cmd *cmd)
{
    cmd->words = arena_alloc(x->arena, WORDS_MAX * sizeof(*cmd->words));
    (void)lex_space(x);
    do {
        struct span w = lex_atom(x, "");

        if (cmd->words == NULL || cmd->n_words == WORDS_MAX)
            return lex_fail(x, "too many words");
        cmd->words[cmd->n_words++] = w;
    } while (lex_take(x, ' '));
    return x->fault == NULL;
}

static bool parse_store(struct lex *x, struct imap_cmd *cmd)
{
    struct span name;

    (void)lex_space(x);
    cmd->set = lex_set(x);
    (void)lex_space(x);
    if (lex_take(x, '+'))
        cmd->store_sign = 1;
    else if (lex_take(x, '-'))
        cmd->store_sign = -1;
    name = lex_atom(x, "");
    cmd->is_silent = span_eq_str_nocase(name, "FLAGS.SILENT");
    if (!cmd->is_silent && !span_eq_str_nocase(name, "FLAGS"))
        return lex_fail(x, "only FLAGS can be stored");
    (void)lex_space(x);
    cmd->flags = lex_flags(x);
    return x->fault == NULL;
}

static bool parse_copy(struct lex *x, struct imap_cmd *cmd)
{
    (void)lex_space(x);
    cmd->set = lex_set(x);
    return one_mailbox(x, cmd);
}

/* UID EXPUNGE names a set (RFC 4315), EXPUNGE does not. */
static bool parse_expunge(struct lex *x, struct imap_cmd *cmd)
{
    if (cmd->is_uid) {
        (void)lex_space(x);
        cmd->set = lex_set(x);
    }
    return x->fault == NULL;
}

/* Only reached when the segment rule of imap_append_parse() did not hold. */
static bool parse_append(struct lex *x, struct imap_cmd *cmd)
{
    (void)cmd;
    return lex_fail(x, "APPEND wants: mailbox [flags] [date-time] message as a literal");
}

/* ---- words of a fixed set --------------------------------------------------------- */

struct word_bit {
    const char *word;
    unsigned bit;
};

static unsigned find_bit(struct lex *x, const struct word_bit *t, size_t n,
                         const char *why)
{
    struct span w = lex_atom(x, "");

    for (size_t i = 0; i < n; i++) {
        if (span_eq_str_nocase(w, t[i].word))
            return t[i].bit;
    }
    (void)lex_fail(x, why);
    return 0;
}

static unsigned status_items(struct lex *x)
{
    static const struct word_bit words[] = {
        {"MESSAGES", IMAP_STATUS_MESSAGES}, {"RECENT", IMAP_STATUS_RECENT},
        {"UIDNEXT", IMAP_STATUS_UIDNEXT},   {"UIDVALIDITY", IMAP_STATUS_UIDVALIDITY},
        {"UNSEEN", IMAP_STATUS_UNSEEN},     {"SIZE", IMAP_STATUS_SIZE},
    };
    unsigned bits = 0;

    (void)lex_want(x, '(', "STATUS wants a list of items");
    do {
        bits |= find_bit(x, words, COUNT_OF(words), "there is no such STATUS item");
    } while (lex_take(x, ' '));
    (void)lex_want(x, ')', "the list of STATUS items does not end");
    return bits;
}

static bool parse_status(struct lex *x, struct imap_cmd *cmd)
{
    (void)one_mailbox(x, cmd);
    (void)lex_space(x);
    cmd->status_items = status_items(x);
    return x->fault == NULL;
}

/* ---- LIST (RFC 3501 6.3.8, RFC 5258) ---------------------------------------------- */

static void list_selection(struct lex *x, struct imap_cmd *cmd)
{
    static const struct word_bit words[] = {
        {"SUBSCRIBED", IMAP_LIST_SUBSCRIBED},
        {"REMOTE", IMAP_LIST_REMOTE},
        {"RECURSIVEMATCH", IMAP_LIST_RECURSIVE},
        {"SPECIAL-USE", IMAP_LIST_SPECIAL},
    };

    cmd->list_options |= IMAP_LIST_EXTENDED;
    if (lex_take(x, ')'))
        return;
    do {
        cmd->list_options |=
            find_bit(x, words, COUNT_OF(words), "there is no such LIST selection option");
    } while (lex_take(x, ' '));
    (void)lex_want(x, ')', "the list of options does not end");
    if ((cmd->list_options & IMAP_LIST_RECURSIVE) != 0 &&
        (cmd->list_options & IMAP_LIST_SUBSCRIBED) == 0)
        (void)lex_fail(x, "RECURSIVEMATCH needs SUBSCRIBED beside it"); /* RFC 5258 3.1 */
}

static void list_return(struct lex *x, struct imap_cmd *cmd)
{
    static const struct word_bit words[] = {
        {"SUBSCRIBED", IMAP_LIST_R_SUBSCRIBED},
        {"CHILDREN", IMAP_LIST_R_CHILDREN},
        {"SPECIAL-USE", IMAP_LIST_R_SPECIAL},
        {"STATUS", IMAP_LIST_R_STATUS},
    };

    cmd->list_options |= IMAP_LIST_EXTENDED;
    if (!span_eq_str_nocase(lex_atom(x, ""), "RETURN"))
        (void)lex_fail(x, "only RETURN may follow the patterns");
    (void)lex_space(x);
    (void)lex_want(x, '(', "RETURN wants a list of options");
    if (lex_take(x, ')'))
        return;
    do {
        unsigned bit =
            find_bit(x, words, COUNT_OF(words), "there is no such LIST return option");

        cmd->list_options |= bit;
        if (bit == IMAP_LIST_R_STATUS) {
            (void)lex_space(x);
            cmd->status_items = status_items(x);
        }
    } while (lex_take(x, ' '));
    (void)lex_want(x, ')', "the list of options does not end");
}

static void list_pattern(struct lex *x, struct imap_cmd *cmd)
{
    struct span s = lex_list_mailbox(x);

    if (cmd->patterns == NULL || cmd->n_patterns == PATTERNS_MAX)
        (void)lex_fail(x, "too many patterns");
    else
        cmd->patterns[cmd->n_patterns++] = s;
}

/* The reference and the patterns stay as they were sent: they are compared with names in
 * modified UTF-7, where a wildcard cannot hide in a shifted run. */
static bool parse_list(struct lex *x, struct imap_cmd *cmd)
{
    cmd->patterns = arena_alloc(x->arena, PATTERNS_MAX * sizeof(*cmd->patterns));
    (void)lex_space(x);
    if (cmd->op == IMAP_OP_LIST && lex_take(x, '(')) {
        list_selection(x, cmd);
        (void)lex_space(x);
    }
    cmd->reference = lex_astring(x);
    (void)lex_space(x);
    if (cmd->op == IMAP_OP_LIST && lex_take(x, '(')) {
        cmd->list_options |= IMAP_LIST_EXTENDED;
        do {
            list_pattern(x, cmd);
        } while (lex_take(x, ' '));
        (void)lex_want(x, ')', "the list of patterns does not end");
    } else {
        list_pattern(x, cmd);
    }
    if (cmd->op == IMAP_OP_LIST && lex_take(x, ' '))
        list_return(x, cmd);
    return x->fault == NULL;
}

/* ---- the table -------------------------------------------------------------------- */

#define ANY (IMAP_STATE_GREETED | IMAP_STATE_AUTH | IMAP_STATE_SELECTED)
#define IN  (IMAP_STATE_AUTH | IMAP_STATE_SELECTED)
#define SEL IMAP_STATE_SELECTED
#define OUT IMAP_STATE_GREETED

/* clang-format off */
static const struct imap_verb verbs[] = {
    /* name           op                    legal  uid    expunge parser */
    {"CAPABILITY",   IMAP_OP_CAPABILITY,   ANY, false, true,  no_arguments},
    {"NOOP",         IMAP_OP_NOOP,         ANY, false, true,  no_arguments},
    {"LOGOUT",       IMAP_OP_LOGOUT,       ANY, false, false, no_arguments},
    {"ID",           IMAP_OP_ID,           ANY, false, true,  parse_id},           /* RFC 2971 */
    {"STARTTLS",     IMAP_OP_STARTTLS,     OUT, false, false, no_arguments},
    {"LOGIN",        IMAP_OP_LOGIN,        OUT, false, false, parse_login},
    {"AUTHENTICATE", IMAP_OP_AUTHENTICATE, OUT, false, false, parse_authenticate}, /* RFC 4959 */
    {"ENABLE",       IMAP_OP_ENABLE,       IN,  false, true,  parse_enable},       /* RFC 5161 */
    {"NAMESPACE",    IMAP_OP_NAMESPACE,    IN,  false, true,  no_arguments},       /* RFC 2342 */
    {"SELECT",       IMAP_OP_SELECT,       IN,  false, false, one_mailbox},
    {"EXAMINE",      IMAP_OP_EXAMINE,      IN,  false, false, one_mailbox},
    {"CREATE",       IMAP_OP_CREATE,       IN,  false, true,  one_mailbox},
    {"DELETE",       IMAP_OP_DELETE,       IN,  false, true,  one_mailbox},
    {"RENAME",       IMAP_OP_RENAME,       IN,  false, true,  two_mailboxes},
    {"SUBSCRIBE",    IMAP_OP_SUBSCRIBE,    IN,  false, true,  one_mailbox},
    {"UNSUBSCRIBE",  IMAP_OP_UNSUBSCRIBE,  IN,  false, true,  one_mailbox},
    {"LIST",         IMAP_OP_LIST,         IN,  false, true,  parse_list},
    {"LSUB",         IMAP_OP_LSUB,         IN,  false, true,  parse_list},
    {"STATUS",       IMAP_OP_STATUS,       IN,  false, true,  parse_status},
    {"APPEND",       IMAP_OP_APPEND,       IN,  false, true,  parse_append},
    {"IDLE",         IMAP_OP_IDLE,         IN,  false, true,  no_arguments},       /* RFC 2177 */
    {"CHECK",        IMAP_OP_CHECK,        SEL, false, true,  no_arguments},
    {"CLOSE",        IMAP_OP_CLOSE,        SEL, false, false, no_arguments},
    {"UNSELECT",     IMAP_OP_UNSELECT,     SEL, false, false, no_arguments},       /* RFC 3691 */
    {"EXPUNGE",      IMAP_OP_EXPUNGE,      SEL, true,  true,  parse_expunge},
    {"SEARCH",       IMAP_OP_SEARCH,       SEL, true,  false, imap_parse_search},
    {"FETCH",        IMAP_OP_FETCH,        SEL, true,  false, imap_parse_fetch},
    {"STORE",        IMAP_OP_STORE,        SEL, true,  false, parse_store},
    {"COPY",         IMAP_OP_COPY,         SEL, true,  true,  parse_copy},
    {"MOVE",         IMAP_OP_MOVE,         SEL, true,  true,  parse_copy},         /* RFC 6851 */
};
/* clang-format on */

const struct imap_verb *imap_verb_find(struct span name)
{
    for (size_t i = 0; i < COUNT_OF(verbs); i++) {
        if (span_eq_str_nocase(name, verbs[i].name))
            return &verbs[i];
    }
    return NULL;
}

/* tag: astring characters but no "+". */
static bool take_tag(struct lex *x, struct imap_cmd *cmd)
{
    struct span tag = lex_atom(x, "]");

    if (x->fault != NULL || span_index(tag, '+') >= 0 || lex_peek(x) != ' ')
        return lex_fail(x, "a command begins with a tag");
    cmd->tag = tag;
    x->at++;
    return true;
}

static const struct imap_verb *take_verb(struct lex *x, struct imap_cmd *cmd)
{
    struct span name = lex_atom(x, "");
    const struct imap_verb *v;

    cmd->is_uid = x->fault == NULL && span_eq_str_nocase(name, "UID");
    if (cmd->is_uid) {
        (void)lex_space(x);
        name = lex_atom(x, "");
    }
    if (x->fault != NULL)
        return NULL;
    v = imap_verb_find(name);
    if (v == NULL || (cmd->is_uid && !v->has_uid_form)) {
        (void)lex_fail(x, "this command is not known");
        return NULL;
    }
    cmd->op = v->op;
    return v;
}

bool imap_parse(struct span text, struct arena *a, struct imap_cmd *cmd,
                const struct imap_verb **verb, const char **fault)
{
    struct lex x;

    memset(cmd, 0, sizeof(*cmd));
    *verb = NULL;
    lex_init(&x, text, a);
    if (take_tag(&x, cmd) && (*verb = take_verb(&x, cmd)) != NULL) {
        (void)(*verb)->parse(&x, cmd);
        (void)lex_end(&x);
    }
    *fault = x.fault;
    return x.fault == NULL;
}

struct span imap_parse_tag(struct span text)
{
    struct imap_cmd cmd;
    struct lex x;

    memset(&cmd, 0, sizeof(cmd));
    lex_init(&x, text, NULL); /* an atom is borrowed, so no arena is needed */
    (void)take_tag(&x, &cmd);
    return cmd.tag;
}

bool imap_append_parse(struct span seg, bool is_first, struct arena *a,
                       struct imap_append *out)
{
    struct imap_cmd cmd;
    struct lex x;

    memset(&cmd, 0, sizeof(cmd));
    memset(out, 0, sizeof(*out));
    lex_init(&x, seg, a);
    if (is_first) {
        const struct imap_verb *v = take_tag(&x, &cmd) ? take_verb(&x, &cmd) : NULL;

        if (v == NULL || v->op != IMAP_OP_APPEND)
            return false;
        (void)lex_space(&x);
        out->mailbox = lex_mailbox(&x, &out->is_name_bad);
    }
    (void)lex_space(&x);
    if (lex_peek(&x) == '(') {
        out->flags = lex_flag_list(&x);
        (void)lex_space(&x);
    }
    if (lex_peek(&x) == '"') {
        out->has_date = true;
        out->date_s = lex_date_time(&x);
        (void)lex_space(&x);
    }
    (void)lex_want(&x, '{', "");
    out->size = lex_number(&x, UINT32_MAX);
    out->is_sync = !lex_take(&x, '+');
    (void)lex_want(&x, '}', "");
    return lex_end(&x);
}
