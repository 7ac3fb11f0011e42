/* SPDX-License-Identifier: ISC */
/* zones/cli/cmd_queue.c - `signpost queue`, `trace` and `status`: what running daemons know.
 *
 * Each asks one question at a control socket (base/io/control) and renders the rows that come
 * back; maild/queue/README.md lists them. With --json the rows pass through as they are. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "base/io/control_client.h"
#include "zones/cli/cli.h"
#include "zones/cli/table.h"

enum { ASK_MS = 30000, LINE_MAX_OCTETS = 1024, WHEN_TEXT = 32 };

typedef void (*row_fn)(void *ctx, struct span json);

/* ---- asking ---- */

static void pass_through(void *ctx, struct span json)
{
    (void)ctx;
    (void)printf("%.*s\n", (int)json.n, (const char *)json.p);
}

/* `socket` is "maild.ctl" or "dnsd.ctl". With --json `row` is not called. */
static enum cli_exit ask(struct cli *c, const char *socket, const char *line, row_fn row,
                         void *ctx)
{
    struct control_answer answer = {.code = ""};
    struct err err = {0};
    char *path = conf_run_path(c->conf, socket);
    struct control_client *client = control_open(path, &err);
    enum cli_exit rc = CLI_FAULT;

    free(path);
    if (client == NULL)
        return cli_say(CLI_FAULT, "%s", err.text);
    switch (control_ask(client, line, ASK_MS, c->is_json ? pass_through : row, ctx,
                        &answer, &err)) {
    case CONTROL_OK:
        rc = CLI_OK;
        break;
    case CONTROL_ERROR:
        rc = strcmp(answer.code, "not-found") == 0 ? CLI_NO : CLI_FAULT;
        (void)cli_say(rc, "%s: %s", line, answer.text);
        break;
    case CONTROL_FAULT:
        (void)cli_say(CLI_FAULT, "%s", err.text);
        break;
    }
    control_close(&client);
    return rc;
}

/* "queue show ID": the words of the command line behind a fixed beginning. */
static enum cli_exit ask_word(struct cli *c, const char *request, const char *word,
                              row_fn row, void *ctx)
{
    char line[LINE_MAX_OCTETS];

    if (snprintf(line, sizeof(line), "%s %s", request, word) >= (int)sizeof(line))
        return cli_say(CLI_FAULT, "\"%.60s...\" is too long", word);
    return ask(c, "maild.ctl", line, row, ctx);
}

/* ---- rendering ---- */

static const char *text_at(const json_t *row, const char *key)
{
    const char *s = json_string_value(json_object_get(row, key));

    return s == NULL ? "" : s;
}

static int64_t int_at(const json_t *row, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(row, key));
}

static const char *when(int64_t at_s, char text[WHEN_TEXT])
{
    const time_t t = (time_t)at_s;
    struct tm tm;

    if (at_s <= 0 || gmtime_r(&t, &tm) == NULL ||
        strftime(text, WHEN_TEXT, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        return "-";
    return text;
}

/* "3h 20m": two units are enough to judge by. */
static const char *span_text(int64_t s, char text[WHEN_TEXT])
{
    if (s < 0)
        s = 0;
    if (s < 60)
        (void)snprintf(text, WHEN_TEXT, "%ds", (int)s);
    else if (s < 3600)
        (void)snprintf(text, WHEN_TEXT, "%dm %ds", (int)(s / 60), (int)(s % 60));
    else if (s < 86400)
        (void)snprintf(text, WHEN_TEXT, "%dh %dm", (int)(s / 3600), (int)(s % 3600 / 60));
    else
        (void)snprintf(text, WHEN_TEXT, "%lldd %dh", (long long)(s / 86400),
                       (int)(s % 86400 / 3600));
    return text;
}

/* Foreign text of one line, without what a terminal would obey. */
static void put_clean(const char *label, const char *text)
{
    if (text[0] == '\0')
        return;
    (void)printf("  %-10s ", label);
    for (; *text != '\0'; text++)
        (void)putchar((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
    (void)putchar('\n');
}

struct view {
    struct cli *c;
    struct table *table;
    size_t n;
};

/* ---- queue ---- */

static const struct column list_columns[] = {
    {"id", "ID", COLUMN_TEXT},         {"sender", "FROM", COLUMN_TEXT},
    {"rcpt", "TO", COLUMN_TEXT},       {"waiting", "WAITING", COLUMN_NUMBER},
    {"size", "OCTETS", COLUMN_NUMBER}, {"age", "AGE", COLUMN_TEXT},
    {"next", "NEXT TRY", COLUMN_TEXT}, {"reason", "LAST ANSWER", COLUMN_TEXT},
};

static void list_row(void *ctx, struct span json)
{
    struct view *v = ctx;
    json_t *row = json_loadb((const char *)json.p, json.n, 0, NULL);
    int64_t now = clock_wall_s(v->c->clock), next = int_at(row, "next_try_s");
    char age[WHEN_TEXT], wait[WHEN_TEXT], waiting[24], size[24];
    const char *sender = text_at(row, "sender");

    (void)snprintf(waiting, sizeof(waiting), "%lld", (long long)int_at(row, "waiting"));
    (void)snprintf(size, sizeof(size), "%lld", (long long)int_at(row, "size"));
    const char *const values[] = {text_at(row, "id"),
                                  sender[0] ? sender : "<>",
                                  text_at(row, "rcpt"),
                                  waiting,
                                  size,
                                  span_text(now - int_at(row, "accepted_s"), age),
                                  next <= now ? "now" : span_text(next - now, wait),
                                  text_at(row, "reason")};

    table_row(v->table, values);
    json_decref(row);
}

static enum cli_exit run_list(struct cli *c, const struct cli_args *a)
{
    struct view v = {.c = c};
    enum cli_exit rc;

    (void)a;
    v.table = table_begin(list_columns, COUNT_OF(list_columns), c->is_json);
    rc = ask(c, "maild.ctl", "queue list", list_row, &v);
    (void)table_end(&v.table, rc == CLI_OK ? "the queue is empty" : "");
    return rc;
}

static void show_message(const struct view *v, const json_t *row)
{
    char accepted[WHEN_TEXT], expires[WHEN_TEXT];
    const char *sender = text_at(row, "sender");

    cli_note(v->c, "message %s", text_at(row, "id"));
    put_clean("from", sender[0] ? sender : "<>");
    put_clean("came by", text_at(row, "via"));
    cli_note(v->c, "  %-10s %lld octets", "size", (long long)int_at(row, "size"));
    put_clean("accepted", when(int_at(row, "accepted_s"), accepted));
    put_clean("expires", when(int_at(row, "expires_s"), expires));
}

static void show_recipient(const struct view *v, const json_t *row)
{
    char at[WHEN_TEXT];

    cli_note(v->c, "recipient %lld: %s (%s), %s, %lld attempt%s",
             (long long)int_at(row, "number"), text_at(row, "address"),
             text_at(row, "kind"), text_at(row, "state"),
             (long long)int_at(row, "attempts"), int_at(row, "attempts") == 1 ? "" : "s");
    if (strcmp(text_at(row, "original"), text_at(row, "address")) != 0)
        put_clean("given as", text_at(row, "original"));
    put_clean("last try",
              int_at(row, "last_s") > 0 ? when(int_at(row, "last_s"), at) : "");
    put_clean("next try", strcmp(text_at(row, "state"), "waiting") == 0
                              ? when(int_at(row, "next_try_s"), at)
                              : "");
    put_clean("host", text_at(row, "host"));
    put_clean("answer", text_at(row, "reason"));
}

static void show_row(void *ctx, struct span json)
{
    struct view *v = ctx;
    json_t *row = json_loadb((const char *)json.p, json.n, 0, NULL);

    if (strcmp(text_at(row, "row"), "message") == 0)
        show_message(v, row);
    else
        show_recipient(v, row);
    json_decref(row);
}

static enum cli_exit run_show(struct cli *c, const struct cli_args *a)
{
    struct view v = {.c = c};

    return ask_word(c, "queue show", a->word[0], show_row, &v);
}

static void result_row(void *ctx, struct span json)
{
    struct view *v = ctx;
    json_t *row = json_loadb((const char *)json.p, json.n, 0, NULL);

    if (json_object_get(row, "retried") != NULL)
        cli_note(v->c, "%lld recipient(s) will be tried now",
                 (long long)int_at(row, "retried"));
    else
        cli_note(v->c, "%lld message(s) removed; nobody is told",
                 (long long)int_at(row, "removed"));
    json_decref(row);
}

static enum cli_exit run_retry(struct cli *c, const struct cli_args *a)
{
    struct view v = {.c = c};

    return ask_word(c, "queue retry", a->word[0], result_row, &v);
}

static enum cli_exit run_remove(struct cli *c, const struct cli_args *a)
{
    struct view v = {.c = c};

    if (!cli_confirmed(a, "drops the message without a report to its sender"))
        return CLI_NO;
    return ask_word(c, "queue remove", a->word[0], result_row, &v);
}

/* ---- trace ---- */

/* One decision: when it fell, about whom, and what the client was told. */
static void put_decision(const json_t *d)
{
    char label[16], text[1024];

    (void)snprintf(label, sizeof(label), "%.15s", text_at(d, "at"));
    (void)snprintf(text, sizeof(text), "%s  %lld %s", text_at(d, "subject"),
                   (long long)int_at(d, "code"), text_at(d, "text"));
    put_clean(label, text);
}

/* Whatever edge noted of the session, in its order. */
static void put_facts(json_t *facts)
{
    const char *key;
    json_t *value;

    json_object_foreach(facts, key, value)
    {
        bool is_list = json_is_object(json_array_get(value, 0));
        bool is_known = strcmp(key, "peer") == 0 || strcmp(key, "helo") == 0;
        char *text = json_is_string(value) || is_list
                         ? NULL
                         : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

        for (size_t i = 0; is_list && i < json_array_size(value); i++)
            put_decision(json_array_get(value, i));
        if (!is_list && !is_known) /* these two stand above */
            put_clean(key, text != NULL ? text : json_string_value(value));
        free(text);
    }
}

static void trace_message(struct view *v, const json_t *row)
{
    const json_t *rcpts = json_object_get(row, "recipients");
    const char *sender = text_at(row, "sender");
    char at[WHEN_TEXT];

    cli_note(v->c, "%s%s  %s  %s  %s", v->n++ > 0 ? "\n" : "",
             when(int_at(row, "when_s"), at), text_at(row, "id"), text_at(row, "via"),
             text_at(row, "outcome"));
    put_clean("sender", sender[0] ? sender : "<>");
    for (size_t i = 0; i < json_array_size(rcpts); i++) {
        const char *rcpt = json_string_value(json_array_get(rcpts, i));

        put_clean("recipient", rcpt == NULL ? "" : rcpt);
    }
    put_clean("peer", text_at(row, "peer"));
    put_clean("greeting", text_at(row, "helo"));
    put_clean("From", text_at(row, "from"));
    put_clean("Subject", text_at(row, "subject"));
    put_clean("Message-ID", text_at(row, "message_id"));
    put_clean("reply", text_at(row, "reply"));
    put_facts(json_object_get(row, "facts"));
}

static void trace_row(void *ctx, struct span json)
{
    struct view *v = ctx;
    json_t *row = json_loadb((const char *)json.p, json.n, 0, NULL);
    char at[WHEN_TEXT];

    if (strcmp(text_at(row, "row"), "message") == 0) {
        trace_message(v, row);
    } else {
        cli_note(v->c, "  %s  %-9s %s%s%s", when(int_at(row, "when_s"), at),
                 text_at(row, "event"), text_at(row, "rcpt"),
                 text_at(row, "host")[0] ? " at " : "", text_at(row, "host"));
        put_clean("", text_at(row, "text"));
    }
    json_decref(row);
}

static enum cli_exit run_trace(struct cli *c, const struct cli_args *a)
{
    struct view v = {.c = c};

    return ask_word(c, "trace", a->word[0], trace_row, &v);
}

/* ---- status ---- */

/* Keys carry their unit: *_s are moments or spans, the rest is printed as it is. */
static void status_value(const char *key, const json_t *value)
{
    size_t n = strlen(key);
    bool is_time = n > 2 && strcmp(key + n - 2, "_s") == 0;
    int64_t v = (int64_t)json_integer_value(value);
    char label[64], text[WHEN_TEXT];

    (void)snprintf(label, sizeof(label), "%-18.*s", (int)(is_time ? n - 2 : n), key);
    for (char *p = label; *p != '\0'; p++)
        if (*p == '_')
            *p = ' ';
    if (json_is_string(value))
        put_clean(label, json_string_value(value));
    else if (json_is_boolean(value))
        put_clean(label, json_is_true(value) ? "yes" : "no");
    else if (json_is_integer(value) && is_time)
        put_clean(label, v == 0           ? "-"
                         : v > 1000000000 ? when(v, text)
                                          : span_text(v, text));
    else if (json_is_integer(value))
        (void)printf("  %s %lld\n", label, (long long)v);
}

/* The row's kind is its heading; what it says of itself is indented below. Roles, which are
 * many and say little, are a line each. */
static void status_row(void *ctx, struct span json)
{
    json_t *row = json_loadb((const char *)json.p, json.n, 0, NULL);
    const char *key;
    json_t *value;

    (void)ctx;
    if (strcmp(text_at(row, "row"), "role") == 0) {
        (void)printf("  role %-10s %2lld %s\n", text_at(row, "name"),
                     (long long)json_integer_value(json_object_get(row, "instance")),
                     json_is_true(json_object_get(row, "is_connected"))
                         ? "connected"
                         : "not connected");
        json_decref(row);
        return;
    }
    (void)printf("%s%s\n", text_at(row, "row"), text_at(row, "program"));
    json_object_foreach(row, key, value)
    {
        if (strcmp(key, "row") != 0 && strcmp(key, "program") != 0)
            status_value(key, value);
    }
    json_decref(row);
}

static enum cli_exit run_status(struct cli *c, const struct cli_args *a)
{
    enum cli_exit dns = ask(c, "dnsd.ctl", "status", status_row, NULL);
    enum cli_exit mail = ask(c, "maild.ctl", "status", status_row, NULL);

    (void)a;
    return dns == CLI_OK && mail == CLI_OK ? CLI_OK : CLI_NO;
}

static const struct cli_option remove_options[] = {
    {"--yes", NULL, "really drop it"},
    {NULL, NULL, NULL},
};

static const struct cli_command queue_commands[] = {
    {"list", "", "Messages that still wait for a recipient.", 0, 0, NULL,
     "  signpost queue list", run_list},
    {"show", "ID", "One message and each of its recipients.", 1, 1, NULL,
     "  signpost queue show 3xnb6qkzkh4rg2kmzdtcxq5y7e", run_show},
    {"retry", "ID|all", "Try again now.", 1, 1, NULL, "  signpost queue retry all",
     run_retry},
    {"remove", "ID --yes", "Drop a message.", 1, 1, remove_options,
     "  signpost queue remove 3xnb6qkzkh4rg2kmzdtcxq5y7e --yes", run_remove},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};
const struct cli_noun cli_queue = {"queue", "mail in transit: list, show, retry, remove",
                                   queue_commands};

static const struct cli_command trace_commands[] = {
    {"", "ADDRESS|MESSAGE-ID|ID",
     "What happened to a message: who sent it, what was decided and why, where it went.",
     1, 1, NULL,
     "  signpost trace ann@example.com\n"
     "  signpost trace '<20261122.1@example.com>'",
     run_trace},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};
const struct cli_noun cli_trace = {"trace", "what happened to a message", trace_commands};

static const struct cli_command status_commands[] = {
    {"", "", "Are the daemons running, and how are they?", 0, 0, NULL,
     "  signpost status", run_status},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};
const struct cli_noun cli_status = {"status", "how the daemons are", status_commands};
