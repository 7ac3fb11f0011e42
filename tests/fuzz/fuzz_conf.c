/* SPDX-License-Identifier: ISC */
/* signpost.conf (base/conf/conf.h, lex.h, value.h, suggest.h). Input: the text of the file;
 * where it lacks what must be set, that is set in front. */
#include <stdlib.h>
#include <string.h>

#include "base/conf/conf.h"
#include "base/conf/suggest.h"
#include "tests/fuzz/fuzz.h"

static void put_quoted(struct buf *out, const char *s)
{
    fuzz_note(out, "\"");
    for (; *s != '\0'; s++)
        fuzz_note(out, "%s%c", *s == '"' || *s == '\\' ? "\\" : "", *s);
    fuzz_note(out, "\"");
}

/* The file that says what `c` says. */
static void print(const struct conf *c, struct buf *out)
{
    for (size_t i = 0; i < conf_schema_count; i++) {
        const struct conf_key *k = &conf_schema[i];

        for (size_t n = 0; k->is_repeatable && n < conf_count(c, k->key); n++)
            fuzz_note(out, "%s %s\n", k->key, conf_nth(c, k->key, n));
        if (k->is_repeatable || conf_text(c, k->key)[0] == '\0')
            continue;
        fuzz_note(out, "%s ", k->key);
        put_quoted(out, conf_text(c, k->key));
        fuzz_note(out, "\n");
    }
}

static void check_values(const struct conf *c)
{
    enum conf_service service;
    struct ipaddr addr;
    uint16_t port;

    for (size_t i = 0; i < conf_schema_count; i++) {
        const struct conf_key *k = &conf_schema[i];

        if (k->type == CONF_INT)
            LAW(conf_int(c, k->key) >= k->min && conf_int(c, k->key) <= k->max,
                "a number is in its range");
        if (k->type == CONF_BOOL)
            (void)conf_bool(c, k->key);
        for (size_t n = 0; k->type == CONF_ADDR && conf_addr(c, k->key, n, &addr); n++)
            LAW(addr.family != 0, "an address is one");
    }
    for (size_t i = 0; i < conf_count(c, "listen"); i++)
        LAW(conf_listen(c, i, &service, &addr, &port) && service < CONF_SERVICE_COUNT,
            "what is listened on was understood");
}

static void check_suggest(struct span text)
{
    char a[80], b[80];

    if (!span_copy(span_take(text, 40), a, sizeof(a)) ||
        !span_copy(span_take(span_drop(text, 40), 40), b, sizeof(b)))
        return;
    LAW(suggest_distance(a, b) == suggest_distance(b, a),
        "a distance has two directions");
    LAW(suggest_distance(a, a) == 0, "nothing is nearer than itself");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span text = fuzz_heap(span_of(data, n));
    struct err err = {0};
    struct conf *c = conf_parse("fuzz.conf", text, &err), *again;
    struct buf once, twice;

    check_suggest(text);
    if (c == NULL) {
        LAW(err.text[0] != '\0' && strchr(err.text, '\n') == NULL,
            "a refusal is a line that says why");
    } else {
        buf_init(&once, FUZZ_LOG_MAX);
        buf_init(&twice, FUZZ_LOG_MAX);
        check_values(c);
        print(c, &once);
        again = conf_parse("printed.conf", buf_all(&once), &err);
        LAW(again != NULL, err.text);
        print(again, &twice);
        fuzz_same(buf_all(&once), buf_all(&twice), "every value is canonical");
        conf_free(&again);
        conf_free(&c);
        buf_free(&once);
        buf_free(&twice);
    }
    fuzz_heap_free(text);
    return 0;
}
