/* SPDX-License-Identifier: ISC */
#include "tests/fuzz/imap_note.h"

#include "base/msg/encword.h"
#include "tests/fuzz/fuzz.h"

static void note_set(struct buf *log, const struct imap_set *set)
{
    for (size_t i = 0; i < set->n; i++) {
        const struct imap_range *r = &set->ranges[i];

        LAW(r->lo > 0 && r->lo <= r->hi, "a range goes up from 1");
        LAW(i == 0 || (r[-1].hi != IMAP_STAR && r->lo - 1 > r[-1].hi) ||
                r->lo == IMAP_STAR,
            "ranges are sorted and do not touch");
        fuzz_note(log, " %u:%u", r->lo, r->hi);
    }
    fuzz_note(log, "\n");
}

static void note_name(struct buf *log, const char *what, struct span name)
{
    LAW(utf8_is_valid(name), "a mailbox name is UTF-8");
    fuzz_note_span(log, what, name);
}

static void note_flags(struct buf *log, const struct imap_flags *f)
{
    LAW((f->system & ~IMAP_FLAGS_SYSTEM) == 0, "only system flags are bits");
    fuzz_note(log, "flags %x\n", f->system);
    for (size_t i = 0; i < f->n; i++) {
        LAW(f->keywords[i].n > 0 && f->keywords[i].n <= IMAP_KEYWORD_LEN,
            "a keyword has its length");
        fuzz_note_span(log, "keyword", f->keywords[i]);
    }
}

static void note_section(struct buf *log, const struct imap_section *s)
{
    LAW(s->depth >= 0 && s->depth <= IMAP_PATH_MAX, "a path has its depth");
    LAW(s->n_fields <= IMAP_FIELDS_MAX, "fields have their number");
    fuzz_note(log, "section %d depth %d", s->what, s->depth);
    for (int i = 0; i < s->depth; i++) {
        LAW(s->path[i] > 0, "parts are counted from 1");
        fuzz_note(log, " %u", s->path[i]);
    }
    for (size_t i = 0; i < s->n_fields; i++)
        fuzz_note_span(log, "field", s->fields[i]);
    LAW(!s->is_partial || s->count > 0, "a partial asks for octets");
    fuzz_note(log, "partial %d %u %u\n", s->is_partial, s->offset, s->count);
}

static void note_keys(struct buf *log, const struct imap_key *k, unsigned depth)
{
    LAW(depth < 200, "keys nest only so deep");
    for (; k != NULL; k = k->next) {
        fuzz_note(log, "%*skey %d %llu %lld", (int)depth, "", k->kind,
                  (unsigned long long)k->number, (long long)k->day);
        note_set(log, &k->set);
        fuzz_note_span(log, "field", k->field);
        fuzz_note_span(log, "text", k->text);
        LAW(k->kind != IMAP_KEY_NOT || (k->child != NULL && k->child->next == NULL),
            "NOT has one operand");
        LAW(k->kind != IMAP_KEY_OR || (k->child != NULL && k->child->next != NULL &&
                                       k->child->next->next == NULL),
            "OR has two operands");
        note_keys(log, k->child, depth + 1);
    }
}

void imap_note_cmd(struct buf *log, const struct imap_cmd *c,
                   const struct imap_verb *verb)
{
    LAW(verb != NULL && (unsigned)c->op < IMAP_OP_COUNT, "a command is one of the table");
    LAW(c->tag.n > 0 && fuzz_is_plain(c->tag), "a command has a tag");
    fuzz_note(log, "run %s op %d uid %d\n", verb->name, c->op, c->is_uid);
    fuzz_note_span(log, "tag", c->tag);
    note_name(log, "mailbox", c->mailbox);
    note_name(log, "mailbox2", c->mailbox2);
    fuzz_note_span(log, "user", c->user);
    fuzz_note_span(log, "password", c->password);
    note_set(log, &c->set);
    LAW(c->n_items <= IMAP_ITEMS_MAX, "items have their number");
    for (size_t i = 0; i < c->n_items; i++) {
        fuzz_note(log, "item %d peek %d %s\n", c->items[i].kind, c->items[i].is_peek,
                  c->items[i].rfc822 == NULL ? "" : c->items[i].rfc822);
        note_section(log, &c->items[i].section);
    }
    note_flags(log, &c->flags);
    fuzz_note(log, "sign %d silent %d return %u list %u status %u\n", c->store_sign,
              c->is_silent, c->search_return, c->list_options, c->status_items);
    note_keys(log, c->key, 0);
    fuzz_note_span(log, "reference", c->reference);
    for (size_t i = 0; i < c->n_patterns; i++)
        fuzz_note_span(log, "pattern", c->patterns[i]);
    for (size_t i = 0; i < c->n_words; i++)
        fuzz_note_span(log, "word", c->words[i]);
}

/* A quoted string or a literal at the front of `s`: its octets; 0 when neither stands there. */
static size_t string_octets(struct span s)
{
    struct span digits, rest;
    uint64_t n;

    if (s.p[0] == '"') {
        for (size_t i = 1; i < s.n; i++) {
            LAW(s.p[i] != '\r' && s.p[i] != '\n' && s.p[i] != 0 && s.p[i] < 127,
                "a quoted string has text of one line");
            if (s.p[i] == '"')
                return i + 1;
            i += s.p[i] == '\\';
        }
        LAW(false, "a quoted string ends");
    }
    if (s.p[0] != '{')
        return 0;
    LAW(span_cut(span_drop(s, 1), '}', &digits, &rest) &&
            span_to_u64(digits, UINT32_MAX, &n) && span_starts(rest, SPAN_LIT("\r\n")) &&
            n <= rest.n - 2,
        "a literal has the octets it announces");
    return 1 + digits.n + 3 + (size_t)n;
}

void imap_check_value(struct span text)
{
    int open = 0;

    LAW(text.n > 0, "a value has text");
    while (text.n > 0) {
        size_t n = string_octets(text);

        if (n == 0) {
            LAW(text.p[0] >= 32 && text.p[0] < 127, "outside of strings is plain text");
            open += text.p[0] == '(';
            open -= text.p[0] == ')';
            LAW(open >= 0, "parentheses are opened before they are closed");
            n = 1;
        }
        text = span_drop(text, n);
    }
    LAW(open == 0, "parentheses are closed");
}
