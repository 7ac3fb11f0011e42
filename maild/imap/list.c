/* SPDX-License-Identifier: ISC */
#include "maild/imap/list.h"

#include <string.h>

#include "base/core/buf.h"
#include "maild/imap/mutf7.h"

#define PATTERN_MAX 2048

static bool is_below(struct span name, struct span parent)
{
    return name.n > parent.n && span_starts(name, parent) && name.p[parent.n] == '/';
}

void imap_list_prepare(struct imap_list_name *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        v[i].has_children = v[i].has_subscribed_children = false;
        /* names that begin with ours follow us, "a-b" between "a" and "a/b" */
        for (size_t k = i + 1; k < n && span_starts(v[k].name, v[i].name); k++) {
            if (!is_below(v[k].name, v[i].name))
                continue;
            v[i].has_children = v[i].has_children || !v[k].is_missing;
            v[i].has_subscribed_children =
                v[i].has_subscribed_children || v[k].is_subscribed;
        }
    }
}

/* Greedy with one point to go back to for "*" and one for "%": a "*" makes every wildcard
 * before it settled, so the work is pattern times name at most. */
bool imap_list_match(struct span p, struct span s)
{
    size_t i = 0, k = 0;
    size_t star = SIZE_MAX, star_at = 0, pct = SIZE_MAX, pct_at = 0;

    while (k < s.n) {
        if (i < p.n && p.p[i] == '*') {
            star = ++i;
            star_at = k;
            pct = SIZE_MAX;
        } else if (i < p.n && p.p[i] == '%') {
            pct = ++i;
            pct_at = k;
        } else if (i < p.n && p.p[i] == s.p[k]) {
            i++;
            k++;
        } else if (pct != SIZE_MAX && s.p[pct_at] != '/') {
            i = pct;
            k = ++pct_at;
        } else if (star != SIZE_MAX) {
            i = star;
            k = ++star_at;
            pct = SIZE_MAX;
        } else {
            return false;
        }
    }
    while (i < p.n && (p.p[i] == '*' || p.p[i] == '%'))
        i++;
    return i == p.n;
}

/* The pattern behind the reference, with INBOX in capitals. */
static struct span whole_pattern(struct span reference, struct span pattern,
                                 uint8_t *space)
{
    size_t n = 0;

    if (reference.n > PATTERN_MAX || pattern.n > PATTERN_MAX - reference.n)
        return span_of(NULL, 0);
    if (reference.n > 0)
        memcpy(space, reference.p, reference.n);
    n = reference.n;
    if (pattern.n > 0)
        memcpy(space + n, pattern.p, pattern.n);
    n += pattern.n;
    if (n >= 5 && span_eq_str_nocase(span_of(space, 5), "INBOX") &&
        (n == 5 || space[5] == '/' || space[5] == '*' || space[5] == '%'))
        memcpy(space, "INBOX", 5);
    return span_of(space, n);
}

static bool is_matched(const struct imap_cmd *cmd, struct span name)
{
    uint8_t space[PATTERN_MAX];
    struct buf wire;
    bool is_hit = false;

    buf_init(&wire, name.n * 4 + 16);
    if (mutf7_encode(name, &wire)) {
        for (size_t i = 0; i < cmd->n_patterns && !is_hit; i++)
            is_hit = imap_list_match(
                whole_pattern(cmd->reference, cmd->patterns[i], space), buf_all(&wire));
    }
    buf_free(&wire);
    return is_hit;
}

struct attributes {
    struct imap_out *o;
    const char *sep;
};

static void attribute(struct attributes *a, const char *name)
{
    imap_putf(a->o, "%s%s", a->sep, name);
    a->sep = " ";
}

static void put_row(struct imap_out *o, const struct imap_cmd *cmd,
                    const struct imap_list_name *v, bool is_childinfo)
{
    struct attributes a = {o, ""};
    unsigned opt = cmd->list_options;
    bool is_lsub = cmd->op == IMAP_OP_LSUB;

    imap_putf(o, "* %s (", is_lsub ? "LSUB" : "LIST");
    if (v->is_missing && (opt & IMAP_LIST_EXTENDED) != 0)
        attribute(&a, "\\NonExistent");
    else if (v->is_missing ? !is_lsub : v->is_noselect)
        attribute(&a, "\\Noselect");
    if (!is_lsub)
        attribute(&a, v->has_children ? "\\HasChildren" : "\\HasNoChildren");
    if (v->is_subscribed && (opt & (IMAP_LIST_SUBSCRIBED | IMAP_LIST_R_SUBSCRIBED)) != 0)
        attribute(&a, "\\Subscribed");
    if (!is_lsub && v->use[0] != '\0')
        attribute(&a, v->use);
    imap_put(o, ") \"/\" ");
    imap_put_mailbox(o, v->name);
    imap_put(o, is_childinfo ? " (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n" : "\r\n");
}

/* LSUB "%": a name that is not subscribed but has subscribed names below, which the
 * pattern leaves out, is shown as \Noselect (RFC 3501 6.3.9). */
static bool put_lsub(struct imap_out *o, const struct imap_cmd *cmd,
                     const struct imap_list_name *v)
{
    bool is_superior = v->has_subscribed_children && cmd->n_patterns == 1 &&
                       cmd->patterns[0].n > 0 &&
                       cmd->patterns[0].p[cmd->patterns[0].n - 1] == '%';
    struct imap_list_name shown = *v;

    if (!v->is_subscribed && !is_superior)
        return false;
    shown.is_noselect = !v->is_subscribed;
    shown.is_missing = false;
    put_row(o, cmd, &shown, false);
    return true;
}

/* RECURSIVEMATCH: a subscribed name below that has no row of its own (RFC 5258 3.5). */
static bool has_unshown_child(const struct imap_cmd *cmd, const struct imap_list_name *v,
                              size_t n, size_t i)
{
    for (size_t k = i + 1;
         v[i].has_subscribed_children && k < n && span_starts(v[k].name, v[i].name);
         k++) {
        if (v[k].is_subscribed && is_below(v[k].name, v[i].name) &&
            !is_matched(cmd, v[k].name))
            return true;
    }
    return false;
}

bool imap_put_list(struct imap_out *o, const struct imap_cmd *cmd,
                   const struct imap_list_name *v, size_t n, size_t i)
{
    unsigned opt = cmd->list_options;
    bool is_childinfo = false;

    if (!is_matched(cmd, v[i].name))
        return false;
    if (cmd->op == IMAP_OP_LSUB)
        return put_lsub(o, cmd, &v[i]);
    if ((opt & IMAP_LIST_SPECIAL) != 0 && v[i].use[0] == '\0')
        return false;
    if ((opt & IMAP_LIST_SUBSCRIBED) != 0) {
        is_childinfo =
            (opt & IMAP_LIST_RECURSIVE) != 0 && has_unshown_child(cmd, v, n, i);
        if (!v[i].is_subscribed && !is_childinfo)
            return false;
    } else if (v[i].is_missing) {
        return false;
    }
    put_row(o, cmd, &v[i], is_childinfo);
    return true;
}
