/* SPDX-License-Identifier: ISC */
/* tests/tools/docgen.c - prints the parts of the documentation that are tables elsewhere.
 *
 * Usage: docgen keys|events|messages. gen-docs puts the output between the marks of the
 * pages; tables and pages can then not differ, since `make check` compares them. */
#include <stdio.h>
#include <string.h>

#include "base/conf/conf.h"
#include "base/core/log.h"
#include "maild/ipc_msgs.h"
#include "maild/roles.h"

/* mdoc -------------------------------------------------------------------------------  */

/* A sentence of a manual page, from a table's words without capital and period. */
static void put_sentence(const char *text)
{
    putchar(text[0] >= 'a' && text[0] <= 'z' ? text[0] - 'a' + 'A' : text[0]);
    for (const char *at = text + 1; *at != '\0'; at++)
        fputs(*at == '\\' ? "\\e" : (char[2]){*at, '\0'}, stdout);
    puts(".");
}

static const char *argument_of(const struct conf_key *k)
{
    switch (k->type) {
    case CONF_TEXT:
        return "text";
    case CONF_PATH:
        return "path";
    case CONF_INT:
        return strcmp(k->unit, "s") == 0 ? "seconds" : k->unit[0] ? k->unit : "number";
    case CONF_BOOL:
        return "yes|no";
    case CONF_CHOICE:
        return "word";
    case CONF_HOST:
        return "host";
    case CONF_ZONE:
        return "domain";
    case CONF_ADDR:
        return "address";
    case CONF_SERVER:
        return "address Ns Op @port";
    case CONF_LISTEN:
        return "service address:port";
    }
    return "";
}

static void put_key(const struct conf_key *k)
{
    printf(".It Ic %s Ar %s\n", k->key, argument_of(k));
    put_sentence(k->help);
    if (k->type == CONF_CHOICE)
        printf("One of: %s.\n", k->choices);
    if (k->type == CONF_INT)
        printf("Range: %lld to %lld.\n", (long long)k->min, (long long)k->max);
    if (k->fallback == NULL)
        printf("Must be set.\n");
    else if (strncmp(k->fallback, "%D/", 3) == 0)
        printf("Default:\n.Ar data_dir Ns Pa /%s .\n", k->fallback + 3);
    else if (k->fallback[0] != '\0')
        printf("Default: %s.\n", k->fallback);
    if (k->is_repeatable)
        printf("May stand several times.\n");
    if (k->is_reloadable)
        printf("The file is read again on\n.Dv SIGHUP .\n");
    printf(".br\nExample:\n.Li %s %s\n", k->key, k->example);
}

static void put_keys(void)
{
    printf(".Bl -tag -width 4n\n");
    for (size_t i = 0; i < conf_schema_count; i++)
        put_key(&conf_schema[i]);
    printf(".El\n");
}

static void put_events(void)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};

    printf(".Bl -tag -width 4n\n");
    for (int i = 0; i < LOG_EVENT_COUNT; i++) {
        const struct log_event_info *e = log_event_info((enum log_event_id)i);

        printf(".It Ic %s Pq %s\n", e->name, levels[e->level]);
        put_sentence(e->meaning);
    }
    printf(".El\n");
}

/* Markdown -------------------------------------------------------------------------------- */

static const char *const meanings[IPC_TYPE_COUNT] = {
#define MSG(NAME, FROM, TO, ANSWER, meaning) [IPC_##NAME] = meaning,
#include "maild/ipc_msgs.def"
#undef MSG
};

static const char *const fields[IPC_TYPE_COUNT] = {
#define BEGIN(NAME, name) [IPC_##NAME] = ""
#define U8(field)         ", `" #field "` u8"
#define U16(field)        ", `" #field "` u16"
#define U32(field)        ", `" #field "` u32"
#define U64(field)        ", `" #field "` u64"
#define ID(field)         ", `" #field "` id"
#define TXT(field, max)   ", `" #field "` text " #max
#define OCT(field, max)   ", `" #field "` octets " #max
#define END(NAME, name)   ,
#include "maild/ipc_fields.def"
#undef BEGIN
#undef U8
#undef U16
#undef U32
#undef U64
#undef ID
#undef TXT
#undef OCT
#undef END
};

static void put_messages(void)
{
    static const char *const roles[ROLE_COUNT] = {
        [ROLE_PARENT] = "parent",   [ROLE_EDGE] = "edge",
        [ROLE_QUEUE] = "queue",     [ROLE_RELAY] = "relay",
        [ROLE_MAILBOX] = "mailbox", [ROLE_DIRECTORY] = "directory",
        [ROLE_SIGNER] = "signer",   [ROLE_RESOLVER] = "resolver",
    };
    const struct ipc_table *t = &maild_ipc_table;

    printf(
        "| message | from, to | meaning | fields, in wire order |\n|---|---|---|---|\n");
    for (size_t i = 0; i < t->n; i++) {
        const struct ipc_msg *m = &t->msgs[i];

        printf("| `%s`%s%s%s | %s to %s | %s | %s |\n", m->name,
               m->reply != IPC_NONE ? ", answered by `" : "",
               m->reply != IPC_NONE ? t->msgs[m->reply - 1].name : "",
               m->reply != IPC_NONE ? "`" : "", roles[m->from], roles[m->to],
               meanings[m->type], fields[m->type] + strlen(", "));
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*put)(void);
    } parts[] = {{"keys", put_keys}, {"events", put_events}, {"messages", put_messages}};

    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (argc == 2 && strcmp(argv[1], parts[i].name) == 0) {
            parts[i].put();
            return 0;
        }
    fprintf(stderr, "usage: docgen keys|events|messages\n");
    return 2;
}
