/* SPDX-License-Identifier: ISC */
/* test_replay.c - dialogues of tests/replay/ (.smtp files) run through the session machine.
 *
 * Every file runs twice, with the client's octets given at once and one by one: the same
 * must happen. The language, one thing a line ("#" begins a comment, blank lines separate):
 *
 *     policy NAME=VALUE...   before all: submission, tls (already on), starttls, size, ...
 *     > text                 the client sends text and CRLF (consecutive ones together)
 *     >> text                the client sends text with C escapes, nothing added
 *     < text                 a reply line that begins with text must come next
 *     ? what -> answer       the machine must ask just that; it gets the answer
 *     = text                 the message taken so far is text with C escapes; it is forgotten
 *     ! word                 close, drop or verdict must come next
 *     @ word                 something happens: greet, early, timeout, stop, wait MS;
 *                            "rest MS": the client must wait so long before its next command
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/mem.h"
#include "maild/smtp/facts.h"
#include "maild/smtp/session.h"

struct replay {
    const char *file;
    int line_no;
    FILE *in;
    char line[4096]; /* the next line of the script, "" at the end */
    struct smtp_policy policy;
    struct smtp_session s;
    struct buf input, body;
    int64_t now_ms;
    bool is_closed;
};

static void next_line(struct replay *r)
{
    do {
        r->line_no++;
        if (fgets(r->line, sizeof(r->line), r->in) == NULL)
            r->line[0] = '\0';
        r->line[strcspn(r->line, "\n")] = '\0';
    } while ((r->line[0] == '\0' || r->line[0] == '#') && !feof(r->in));
}

static void fail_at(const struct replay *r, const char *got, struct span what)
{
    fail_msg("%s:%d: wanted: %s\n    came: %s %.*s", r->file, r->line_no,
             r->line[0] != '\0' ? r->line : "(end)", got, SPAN_ARG(what));
}

/* Append text with \r \n \t \\ \0 \xNN undone. */
static void unescape(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned c = (uint8_t)*text;

        if (c == '\\') {
            text++;
            c = *text == 'r'   ? '\r'
                : *text == 'n' ? '\n'
                : *text == 't' ? '\t'
                : *text == '0' ? 0
                               : (uint8_t)*text;
            if (*text == 'x' && sscanf(text + 1, "%2x", &c) == 1)
                text += 2;
        }
        assert_int_equal(buf_byte(out, (uint8_t)c), 0);
    }
}

static void expect(struct replay *r, const char *prefix, struct span what)
{
    size_t n = strlen(prefix);

    if (strncmp(r->line, prefix, n) != 0)
        fail_at(r, prefix, what);
    if (!span_starts(what, span_str(r->line + n)))
        fail_at(r, prefix, what);
    next_line(r);
}

static void drain(struct replay *r)
{
    struct span out = smtp_session_output(&r->s), line;

    while (out.n > 0) {
        (void)span_cut(out, '\n', &line, &out);
        assert_true(line.n > 0 && line.n < 512 && line.p[line.n - 1] == '\r');
        line.n--;
        expect(r, "< ", line);
    }
    smtp_session_sent(&r->s);
}

static const struct smtp_step *answer_rcpt(struct replay *r, const char *a)
{
    static const char *const words[] = {"yes",   "unknown",  "not-ours", "disabled",
                                        "quota", "too-many", "bad",      "later"};
    struct envelope_rcpt t[3] = {
        {RCPT_LOCAL, 1, r->s.ask, NULL},
        {RCPT_REMOTE, 0, "far@example.net", NULL},
        {RCPT_LOCAL, 2, "two@example.com", NULL},
    };

    if (strcmp(a, "alias") == 0)
        return smtp_session_rcpt(&r->s, SMTP_RCPT_YES, t + 1, 2, r->now_ms);
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (strcmp(a, words[i]) == 0)
            return smtp_session_rcpt(&r->s, (enum smtp_rcpt_verdict)i, t, i == 0,
                                     r->now_ms);
    fail_msg("%s:%d: no such answer", r->file, r->line_no);
    return NULL;
}

static enum smtp_answer yes_no(const char *a)
{
    return strcmp(a, "yes") == 0 ? SMTP_YES : strcmp(a, "no") == 0 ? SMTP_NO : SMTP_LATER;
}

static const struct smtp_step *answer(struct replay *r, enum smtp_act act)
{
    static const char *const names[] = {
        [SMTP_ACT_ASK_RCPT] = "rcpt",     [SMTP_ACT_ASK_AUTH] = "auth",
        [SMTP_ACT_ASK_SENDER] = "sender", [SMTP_ACT_START_TLS] = "tls",
        [SMTP_ACT_ACCEPT] = "accept",
    };
    char want[2000], *arrow = strstr(r->line, " -> ");
    char *reply = arrow == NULL ? r->line + strlen(r->line) : arrow + 4;
    const char *subject = act == SMTP_ACT_ASK_RCPT || act == SMTP_ACT_ASK_SENDER
                              ? r->s.ask
                          : act == SMTP_ACT_ASK_AUTH ? r->s.sasl.login
                                                     : "";
    int n = snprintf(want, sizeof(want), "? %s%s%s%s%s", names[act],
                     subject[0] != '\0' ? " " : "", subject,
                     act == SMTP_ACT_ASK_AUTH ? " " : "",
                     act == SMTP_ACT_ASK_AUTH ? r->s.sasl.password : "");
    const struct smtp_step *step = NULL;

    assert_true(n > 0 && (size_t)n < sizeof(want));
    if (strncmp(r->line, want, (size_t)n) != 0 ||
        (r->line[n] != '\0' && r->line[n] != ' '))
        fail_at(r, want, span_str(""));
    if (act == SMTP_ACT_ASK_RCPT)
        step = answer_rcpt(r, reply);
    else if (act == SMTP_ACT_ASK_AUTH)
        step = smtp_session_auth(&r->s, yes_no(reply), 7, "anna@example.com", r->now_ms);
    else if (act == SMTP_ACT_ASK_SENDER)
        step = smtp_session_sender(&r->s, yes_no(reply), r->now_ms);
    else if (act == SMTP_ACT_START_TLS)
        step = smtp_session_tls(&r->s, r->now_ms);
    else if (act == SMTP_ACT_ACCEPT && strlen(reply) > 4)
        step = smtp_session_accepted(&r->s, (unsigned)strtoul(reply, NULL, 10), reply + 4,
                                     r->now_ms);
    next_line(r);
    return step;
}

/* Do what the step says and what it leads to; true when the machine may go on. */
static bool act(struct replay *r, const struct smtp_step *step)
{
    for (;;) {
        enum smtp_act what = step->act;
        bool has_verdict = step->verdict.is_set;

        assert_int_equal(buf_span(&r->body, step->body), 0);
        buf_drop(&r->input, step->used);
        drain(r);
        if (has_verdict)
            expect(r, "! ", span_str("verdict"));
        switch (what) {
        case SMTP_ACT_NONE:
            return true;
        case SMTP_ACT_MORE:
            return false;
        case SMTP_ACT_DROP:
            expect(r, "! ", span_str("drop"));
            buf_reset(&r->body);
            return true;
        case SMTP_ACT_CLOSE:
            expect(r, "! ", span_str("close"));
            r->is_closed = true;
            return false;
        case SMTP_ACT_START_TLS:
            buf_reset(&r->input); /* as the driver does */
            break;
        case SMTP_ACT_ACCEPT:
            if (r->line[0] == '=') {
                struct buf want;

                buf_init(&want, 100000);
                unescape(&want, r->line + 2);
                assert_int_equal(r->body.len, want.len);
                assert_memory_equal(r->body.data, want.data, want.len);
                buf_free(&want);
                next_line(r);
            }
            buf_reset(&r->body);
            break;
        case SMTP_ACT_ASK_RCPT:
        case SMTP_ACT_ASK_AUTH:
        case SMTP_ACT_ASK_SENDER:
            break;
        }
        step = answer(r, what);
    }
}

static void pump(struct replay *r)
{
    bool goes_on = true;

    while (goes_on && !r->is_closed) {
        /* an exact-size copy, so that the sanitizer sees any read too far */
        uint8_t *copy = r->input.len == 0 ? NULL : mem_dup(r->input.data, r->input.len);
        const struct smtp_step *step =
            smtp_session_step(&r->s, span_of(copy, r->input.len), r->now_ms);

        goes_on = act(r, step);
        free(copy);
    }
}

static void send_octets(struct replay *r, struct span octets, bool is_whole)
{
    if (r->is_closed)
        fail_at(r, "closed", span_str(""));
    if (is_whole) {
        assert_int_equal(buf_span(&r->input, octets), 0);
        pump(r);
        return;
    }
    for (size_t i = 0; i < octets.n && !r->is_closed; i++) {
        assert_int_equal(buf_byte(&r->input, octets.p[i]), 0);
        pump(r);
    }
}

static void happen(struct replay *r, const char *what)
{
    const struct smtp_step *step = NULL;
    char word[16];

    if (!span_copy(span_str(what), word, sizeof(word)))
        fail_msg("%s:%d: no such event: %s", r->file, r->line_no, what);
    next_line(r);
    if (strcmp(word, "greet") == 0)
        step = smtp_session_greet(&r->s, false, r->now_ms);
    else if (strcmp(word, "early") == 0)
        step = smtp_session_greet(&r->s, true, r->now_ms);
    else if (strcmp(word, "stop") == 0)
        step = smtp_session_stop(&r->s);
    else if (strncmp(word, "rest ", 5) == 0)
        assert_int_equal(smtp_session_rest(&r->s), strtol(word + 5, NULL, 10));
    else if (strncmp(word, "wait ", 5) == 0)
        r->now_ms += strtol(word + 5, NULL, 10);
    else
        fail_msg("%s:%d: no such event: %s", r->file, r->line_no, word);
    if (step != NULL) {
        (void)act(r, step);
    } else if (r->now_ms >= smtp_session_deadline(&r->s)) {
        (void)act(r, smtp_session_timeout(&r->s, r->now_ms));
    }
}

static void set_policy(struct replay *r, char *words)
{
    struct smtp_policy *p = &r->policy;

    for (char *save = NULL, *w = strtok_r(words, " ", &save); w != NULL;
         w = strtok_r(NULL, " ", &save)) {
        char *eq = strchr(w, '=');
        unsigned long v = eq == NULL ? 1 : strtoul(eq + 1, NULL, 10);

        if (eq != NULL)
            *eq = '\0';
        if (strcmp(w, "submission") == 0)
            p->is_submission = true;
        else if (strcmp(w, "starttls") == 0)
            p->has_tls = true;
        else if (strcmp(w, "cleartext") == 0)
            p->allow_cleartext_auth = true;
        else if (strcmp(w, "size") == 0)
            p->size_max = v;
        else if (strcmp(w, "recipients") == 0)
            p->recipients_max = v;
        else if (strcmp(w, "hops") == 0)
            p->hops_max = v;
        else if (strcmp(w, "errors") == 0)
            p->errors_max = v;
        else if (strcmp(w, "commands") == 0)
            p->commands_max = v;
        else if (strcmp(w, "messages") == 0)
            p->messages_max = v;
        else if (strcmp(w, "errors-free") == 0)
            p->errors_free = v;
        else if (strcmp(w, "commands-free") == 0)
            p->commands_free = v;
        else if (strcmp(w, "tls") != 0 && strcmp(w, "policy") != 0)
            fail_msg("%s: no such policy: %s", r->file, w);
    }
}

static void run_file(const char *path, bool is_whole)
{
    struct replay r = {.file = path, .now_ms = 1000};
    bool is_tls = false;

    r.in = fopen(path, "r");
    assert_non_null(r.in);
    r.policy = (struct smtp_policy){
        .hostname = "mail.example.com",
        .size_max = 1000000,
        .recipients_max = 100,
        .hops_max = 25,
        .errors_max = 20,
        .auth_failures_max = 3,
        .commands_max = 1000,
        .messages_max = 1000,
        .errors_free = 5,
        .error_rest_ms = 1000,
        .commands_free = 250,
        .command_rest_ms = 10,
        .idle_ms = 300000,
        .total_ms = 3600000,
    };
    buf_init(&r.input, 1u << 20);
    buf_init(&r.body, 1u << 20);
    next_line(&r);
    if (strncmp(r.line, "policy", 6) == 0) {
        is_tls = strstr(r.line, " tls") != NULL;
        set_policy(&r, r.line);
        next_line(&r);
    }
    smtp_session_init(&r.s, &r.policy, is_tls, r.now_ms);
    while (r.line[0] != '\0') {
        if (r.line[0] == '@') {
            happen(&r, r.line + 2);
        } else if (r.line[0] == '>') {
            struct buf octets;

            buf_init(&octets, 1u << 20);
            for (; r.line[0] == '>'; next_line(&r)) {
                unescape(&octets, r.line + (r.line[1] == '>' ? 3 : 2));
                if (r.line[1] != '>')
                    assert_int_equal(buf_str(&octets, "\r\n"), 0);
            }
            send_octets(&r, buf_all(&octets), is_whole);
            buf_free(&octets);
        } else {
            fail_at(&r, "nothing", span_str(""));
        }
    }
    smtp_session_free(&r.s);
    buf_free(&r.input);
    buf_free(&r.body);
    (void)fclose(r.in);
}

static void run_all(bool is_whole)
{
    struct dirent **names;
    int n = scandir("tests/replay", &names, NULL, alphasort), ran = 0;

    assert_true(n >= 0); /* run from the top of the tree */
    for (int i = 0; i < n; i++) {
        char path[300];

        if (span_ends_nocase(span_str(names[i]->d_name), SPAN_LIT(".smtp"))) {
            (void)snprintf(path, sizeof(path), "tests/replay/%s", names[i]->d_name);
            print_message("%s\n", path);
            run_file(path, is_whole);
            ran++;
        }
        free(names[i]);
    }
    free(names);
    assert_true(ran > 0);
}

static void test_replay_whole(void **state)
{
    (void)state;
    run_all(true);
}

static void test_replay_octet_by_octet(void **state)
{
    (void)state;
    run_all(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replay_whole),
        cmocka_unit_test(test_replay_octet_by_octet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
