/* SPDX-License-Identifier: ISC */
/* base/conf/conf.c - signpost.conf: parsed, checked, asked; see conf.h.
 *
 * One slot per row of the schema, in the same order. A slot holds the values of the file,
 * or the default, so that asking never has to look back at the schema.
 *
 * Invariant after conf_parse(): a slot that is not repeatable has exactly one value; every
 * value is the canonical text that base/conf/value.c wrote. */
#include "base/conf/conf.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf/lex.h"
#include "base/conf/suggest.h"
#include "base/conf/value.h"
#include "base/core/buf.h"
#include "base/core/mem.h"

#define TEXT_MAX   (1024u * 1024u) /* octets of a file */
#define WORD_MAX   1000u
#define VALUE_MAX  4096u /* canonical text: two words and what checkers add fit */
#define VALUES_MAX 1000u /* of one repeatable key */

struct value {
    char *text;
    int64_t number;
    unsigned line; /* 0: a default */
};

struct slot {
    struct value *values;
    size_t n;
};

struct conf {
    struct slot *slots; /* conf_schema_count of them */
    uint8_t *source;    /* the text it was made from */
    size_t source_n;
};

static NO_RETURN void bug(const char *what)
{
    (void)fprintf(stderr, "bug: %s\n", what);
    abort();
}

static void slot_free(struct slot *s)
{
    for (size_t v = 0; v < s->n; v++)
        free(s->values[v].text);
    free(s->values);
    *s = (struct slot){NULL, 0};
}

void conf_free(struct conf **c)
{
    if (*c == NULL)
        return;
    for (size_t i = 0; i < conf_schema_count; i++)
        slot_free(&(*c)->slots[i]);
    free((*c)->slots);
    free((*c)->source);
    free(*c);
    *c = NULL;
}

/* Parsing ------------------------------------------------------------------------------ */

static void add_value(struct slot *s, const char *text, int64_t number, unsigned line)
{
    s->values = mem_resize(s->values, s->n + 1, sizeof s->values[0]);
    s->values[s->n++] = (struct value){mem_strdup(text), number, line};
}

/* Row of the schema, or NULL with a message that names the nearest key. */
static const struct conf_key *find_key(const char *word, struct err *err)
{
    struct suggest near = {.wanted = word};

    for (size_t i = 0; i < conf_schema_count; i++) {
        if (strcmp(conf_schema[i].key, word) == 0)
            return &conf_schema[i];
        suggest_offer(&near, conf_schema[i].key);
    }
    if (near.best != NULL)
        err_set(err, "there is no key \"%s\"; did you mean \"%s\"?", word, near.best);
    else
        err_set(err, "there is no key \"%s\"; signpost.conf(5) lists all keys", word);
    return NULL;
}

static int check_again(const struct conf_key *k, const struct slot *s, const char *text,
                       struct err *err)
{
    if (!k->is_repeatable && s->n > 0)
        return err_set(err, "%s is set twice, first in line %u", k->key,
                       s->values[0].line);
    if (s->n == VALUES_MAX)
        return err_set(err, "%s is set more than %u times", k->key, VALUES_MAX);
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->values[i].text, text) == 0)
            return err_set(err, "%s %s stands in line %u already", k->key, text,
                           s->values[i].line);
    return 0;
}

static int take_line(struct conf *c, const struct lex_line *words, unsigned line,
                     struct err *err)
{
    const struct conf_key *k = find_key(words->words[0], err);
    struct slot *s;
    struct buf text;
    int64_t number;
    int rc = -1;

    if (k == NULL)
        return -1;
    for (size_t i = 1; i < words->n; i++)
        if (strlen(words->words[i]) > WORD_MAX)
            return err_set(err, "%s: the value is longer than %u octets", k->key,
                           WORD_MAX);
    s = &c->slots[k - conf_schema];
    buf_init(&text, VALUE_MAX);
    if (value_check(k, words->words + 1, words->n - 1, &text, &number, err) == -1 ||
        check_again(k, s, buf_cstr(&text), err) == -1)
        goto out;
    add_value(s, buf_cstr(&text), number, line);
    rc = 0;
out:
    buf_free(&text);
    return rc;
}

/* A default is checked like a value of the file: the schema itself may be wrong. */
static void add_default(struct conf *c, size_t row)
{
    const struct conf_key *k = &conf_schema[row];
    struct slot *s = &c->slots[row];
    struct buf text;
    struct err err;
    int64_t number = 0;

    if (strncmp(k->fallback, "%D/", 3) == 0) {
        char *path = conf_path(c, k->fallback + 3);

        add_value(s, path, 0, 0);
        free(path);
    } else if (k->fallback[0] == '\0') {
        if (!k->is_repeatable)
            add_value(s, "", 0, 0);
    } else {
        buf_init(&text, VALUE_MAX);
        if (value_check(k, &k->fallback, 1, &text, &number, &err) == -1)
            bug("a default of base/conf/schema.c is not valid");
        add_value(s, buf_cstr(&text), number, 0);
        buf_free(&text);
    }
}

/* What must be set is set, and what was left out gets its default. `data_dir` stands in
 * the schema before the paths below it. */
static int complete(struct conf *c, struct err *err)
{
    for (size_t row = 0; row < conf_schema_count; row++) {
        const struct conf_key *k = &conf_schema[row];

        if (c->slots[row].n > 0)
            continue;
        if (k->fallback == NULL)
            return err_set(err, "%s must be set, for example: %s %s", k->key, k->key,
                           k->example);
        add_default(c, row);
    }
    return 0;
}

/* One line of the file; *err says what is wrong without saying where. */
static int parse_line(struct conf *c, struct span text, unsigned line, struct err *err)
{
    struct arena *a = arena_new((size_t)16 * VALUE_MAX);
    struct lex_line words;
    enum lex_result r = lex_line(text, a, &words);
    int rc = 0;

    if (r != LEX_OK)
        rc = err_set(err, "%s", lex_result_text(r));
    else if (words.n > 0)
        rc = take_line(c, &words, line, err);
    arena_free(&a);
    return rc;
}

struct conf *conf_parse(const char *name, struct span text, struct err *err)
{
    struct conf *c = mem_new(1, sizeof *c);
    unsigned line = 0;

    c->slots = mem_new(conf_schema_count, sizeof c->slots[0]);
    if (text.n > TEXT_MAX) {
        err_set(err, "%s: larger than %u octets, this is no configuration", name,
                TEXT_MAX);
        goto bad;
    }
    c->source = text.n > 0 ? mem_dup(text.p, text.n) : NULL;
    c->source_n = text.n;
    while (text.n > 0) {
        struct span one;

        line++;
        span_cut(text, '\n', &one, &text);
        if (parse_line(c, one, line, err) == -1) {
            err_wrap(err, "%s:%u", name, line);
            goto bad;
        }
    }
    if (complete(c, err) == -1) {
        err_wrap(err, "%s", name);
        goto bad;
    }
    return c;
bad:
    conf_free(&c);
    return NULL;
}

/* Asking ------------------------------------------------------------------------------- */

static size_t row_of(const char *key)
{
    for (size_t i = 0; i < conf_schema_count; i++)
        if (strcmp(conf_schema[i].key, key) == 0)
            return i;
    bug("a key that base/conf/schema.c does not have");
}

static const struct value *only_value(const struct conf *c, const char *key)
{
    const struct slot *s = &c->slots[row_of(key)];

    assert(!conf_schema[row_of(key)].is_repeatable && s->n == 1);
    return &s->values[0];
}

const char *conf_text(const struct conf *c, const char *key)
{
    return only_value(c, key)->text;
}

int64_t conf_int(const struct conf *c, const char *key)
{
    assert(conf_schema[row_of(key)].type == CONF_INT);
    return only_value(c, key)->number;
}

bool conf_bool(const struct conf *c, const char *key)
{
    assert(conf_schema[row_of(key)].type == CONF_BOOL);
    return only_value(c, key)->number != 0;
}

size_t conf_count(const struct conf *c, const char *key)
{
    return c->slots[row_of(key)].n;
}

const char *conf_nth(const struct conf *c, const char *key, size_t i)
{
    const struct slot *s = &c->slots[row_of(key)];

    assert(i < s->n);
    return s->values[i].text;
}

bool conf_addr(const struct conf *c, const char *key, size_t i, struct ipaddr *addr)
{
    assert(conf_schema[row_of(key)].type == CONF_ADDR);
    return i < conf_count(c, key) && ipaddr_parse(span_str(conf_nth(c, key, i)), addr);
}

bool conf_same(const struct conf *a, const struct conf *b, const char *key)
{
    const struct slot *x = &a->slots[row_of(key)], *y = &b->slots[row_of(key)];
    bool is_same = x->n == y->n;

    for (size_t i = 0; is_same && i < x->n; i++)
        is_same = strcmp(x->values[i].text, y->values[i].text) == 0;
    return is_same;
}

bool conf_is_set(const struct conf *c, const char *key)
{
    const struct slot *s = &c->slots[row_of(key)];

    return s->n > 0 && s->values[0].line > 0;
}

bool conf_listen(const struct conf *c, size_t i, enum conf_service *service,
                 struct ipaddr *addr, uint16_t *port)
{
    return i < conf_count(c, "listen") &&
           value_listen(conf_nth(c, "listen", i), service, addr, port);
}

bool conf_listen_value(const char *text, enum conf_service *service, struct ipaddr *addr,
                       uint16_t *port)
{
    return value_listen(text, service, addr, port);
}

static char *below(const char *dir, const char *rest)
{
    size_t n = strlen(dir) + 1 + strlen(rest);
    struct buf path;
    char *copy;
    int rc;

    buf_init(&path, n + 1);
    rc = buf_printf(&path, "%s/%s", dir, rest);
    assert(rc == 0); /* the ceiling was made to fit */
    (void)rc;
    copy = mem_strdup(buf_cstr(&path));
    buf_free(&path);
    return copy;
}

struct span conf_source(const struct conf *c)
{
    return span_of(c->source, c->source_n);
}

void conf_move_data_dir(struct conf *c, const char *dir)
{
    struct slot *s = &c->slots[row_of("data_dir")];
    unsigned line = s->values[0].line;

    slot_free(s);
    add_value(s, dir, 0, line);
    for (size_t row = 0; row < conf_schema_count; row++) {
        const char *fallback = conf_schema[row].fallback;

        if (fallback == NULL || strncmp(fallback, "%D/", 3) != 0 ||
            c->slots[row].values[0].line > 0)
            continue;
        slot_free(&c->slots[row]);
        add_default(c, row);
    }
}

char *conf_path(const struct conf *c, const char *rest)
{
    return below(conf_text(c, "data_dir"), rest);
}

char *conf_run_path(const struct conf *c, const char *rest)
{
    return below(conf_text(c, "run_dir"), rest);
}
