/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "maild/imap/parse.h"

/* Names that stand alone. Sections are told by the "[" behind BODY or BODY.PEEK. */
static const struct {
    const char *name;
    enum imap_item_kind kind;
    bool is_peek;
    const char *rfc822;
    enum imap_section_what what;
} items[] = {
    {"UID", IMAP_ITEM_UID, true, NULL, 0},
    {"FLAGS", IMAP_ITEM_FLAGS, true, NULL, 0},
    {"INTERNALDATE", IMAP_ITEM_INTERNALDATE, true, NULL, 0},
    {"RFC822.SIZE", IMAP_ITEM_SIZE, true, NULL, 0},
    {"ENVELOPE", IMAP_ITEM_ENVELOPE, true, NULL, 0},
    {"BODY", IMAP_ITEM_BODY, true, NULL, 0},
    {"BODYSTRUCTURE", IMAP_ITEM_BODYSTRUCTURE, true, NULL, 0},
    {"RFC822", IMAP_ITEM_SECTION, false, "RFC822", IMAP_SECTION_ALL},
    {"RFC822.HEADER", IMAP_ITEM_SECTION, true, "RFC822.HEADER", IMAP_SECTION_HEADER},
    {"RFC822.TEXT", IMAP_ITEM_SECTION, false, "RFC822.TEXT", IMAP_SECTION_TEXT},
};

/* RFC 3501 6.4.5: each stands for the items before its own last one. */
static const struct {
    const char *name;
    size_t n;
    enum imap_item_kind kinds[5];
} macros[] = {
    {"FAST", 3, {IMAP_ITEM_FLAGS, IMAP_ITEM_INTERNALDATE, IMAP_ITEM_SIZE}},
    {"ALL",
     4,
     {IMAP_ITEM_FLAGS, IMAP_ITEM_INTERNALDATE, IMAP_ITEM_SIZE, IMAP_ITEM_ENVELOPE}},
    {"FULL",
     5,
     {IMAP_ITEM_FLAGS, IMAP_ITEM_INTERNALDATE, IMAP_ITEM_SIZE, IMAP_ITEM_ENVELOPE,
      IMAP_ITEM_BODY}},
};

static struct span take_name(struct lex *x)
{
    size_t from = x->at;

    while (lex_peek(x) != -1 &&
           (ascii_is_alnum((uint8_t)lex_peek(x)) || lex_peek(x) == '.'))
        x->at++;
    return span_of(x->in.p + from, x->at - from);
}

static void take_fields(struct lex *x, struct imap_section *s)
{
    s->fields = arena_alloc(x->arena, IMAP_FIELDS_MAX * sizeof(*s->fields));
    (void)lex_space(x);
    (void)lex_want(x, '(', "a list of field names is missing");
    do {
        struct span name = lex_astring(x);

        if (s->fields == NULL || s->n_fields == IMAP_FIELDS_MAX)
            (void)lex_fail(x, "too many field names");
        else
            s->fields[s->n_fields++] = name;
    } while (lex_take(x, ' '));
    (void)lex_want(x, ')', "a list of field names does not end");
}

static void take_section_text(struct lex *x, struct imap_section *s)
{
    struct span w = take_name(x);

    if (span_eq_str_nocase(w, "HEADER")) {
        s->what = IMAP_SECTION_HEADER;
    } else if (span_eq_str_nocase(w, "TEXT")) {
        s->what = IMAP_SECTION_TEXT;
    } else if (span_eq_str_nocase(w, "MIME") && s->depth > 0) {
        s->what = IMAP_SECTION_MIME;
    } else if (span_eq_str_nocase(w, "HEADER.FIELDS")) {
        s->what = IMAP_SECTION_FIELDS;
        take_fields(x, s);
    } else if (span_eq_str_nocase(w, "HEADER.FIELDS.NOT")) {
        s->what = IMAP_SECTION_FIELDS_NOT;
        take_fields(x, s);
    } else {
        (void)lex_fail(x, "there is no such section");
    }
}

/* section: "[" [nz-number *("." nz-number)] ["." section-text] "]" */
static void take_section(struct lex *x, struct imap_section *s)
{
    (void)lex_want(x, '[', "a section is missing");
    while (lex_peek(x) >= '0' && lex_peek(x) <= '9') {
        uint64_t n = lex_number(x, UINT32_MAX - 1);

        if (n == 0 || s->depth == IMAP_PATH_MAX) {
            (void)lex_fail(x, "a part number is zero, or there are too many");
            return;
        }
        s->path[s->depth++] = (uint32_t)n;
        if (lex_take(x, ']'))
            return;
        (void)lex_want(x, '.', "a section does not end");
    }
    if (s->depth == 0 && lex_take(x, ']'))
        return;
    take_section_text(x, s);
    (void)lex_want(x, ']', "a section does not end");
}

static void take_partial(struct lex *x, struct imap_section *s)
{
    if (!lex_take(x, '<'))
        return;
    s->is_partial = true;
    s->offset = (uint32_t)lex_number(x, UINT32_MAX);
    (void)lex_want(x, '.', "a partial looks like <0.1000>");
    s->count = (uint32_t)lex_number(x, UINT32_MAX);
    if (s->count == 0)
        (void)lex_fail(x, "a partial of no octets");
    (void)lex_want(x, '>', "a partial looks like <0.1000>");
}

static struct imap_item *new_item(struct lex *x, struct imap_cmd *cmd)
{
    if (cmd->n_items == IMAP_ITEMS_MAX) {
        (void)lex_fail(x, "too many items");
        return NULL;
    }
    return &cmd->items[cmd->n_items++];
}

static void take_item(struct lex *x, struct imap_cmd *cmd)
{
    struct span name = take_name(x);
    bool is_peek = span_eq_str_nocase(name, "BODY.PEEK");
    struct imap_item *it = new_item(x, cmd);

    if (it == NULL)
        return;
    if (lex_peek(x) == '[' && (is_peek || span_eq_str_nocase(name, "BODY"))) {
        it->kind = IMAP_ITEM_SECTION;
        it->is_peek = is_peek;
        take_section(x, &it->section);
        take_partial(x, &it->section);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(items); i++) {
        if (span_eq_str_nocase(name, items[i].name)) {
            it->kind = items[i].kind;
            it->is_peek = items[i].is_peek;
            it->rfc822 = items[i].rfc822;
            it->section.what = items[i].what;
            return;
        }
    }
    (void)lex_fail(x, "there is no such FETCH item");
}

static bool take_macro(struct lex *x, struct imap_cmd *cmd)
{
    size_t from = x->at;
    struct span name = take_name(x);

    for (size_t i = 0; i < COUNT_OF(macros); i++) {
        if (!span_eq_str_nocase(name, macros[i].name))
            continue;
        for (size_t k = 0; k < macros[i].n; k++) {
            struct imap_item *it = new_item(x, cmd);

            if (it != NULL) {
                it->kind = macros[i].kinds[k];
                it->is_peek = true;
            }
        }
        return true;
    }
    x->at = from;
    return false;
}

bool imap_parse_fetch(struct lex *x, struct imap_cmd *cmd)
{
    cmd->items = arena_alloc(x->arena, IMAP_ITEMS_MAX * sizeof(*cmd->items));
    if (cmd->items == NULL)
        return lex_fail(x, "the command is too large");
    (void)lex_space(x);
    cmd->set = lex_set(x);
    (void)lex_space(x);
    if (lex_take(x, '(')) {
        do {
            take_item(x, cmd);
        } while (lex_take(x, ' '));
        (void)lex_want(x, ')', "the list of items does not end");
    } else if (x->fault == NULL && !take_macro(x, cmd)) {
        take_item(x, cmd);
    }
    return x->fault == NULL;
}
