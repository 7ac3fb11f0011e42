/* SPDX-License-Identifier: ISC */
#include "deliverability/record/taglist.h"

/* RFC 6376 3.2 FWS between tokens; a TXT record should hold none but blanks and tabs. */
static struct span trim_fws(struct span s)
{
    while (s.n > 0 &&
           (s.p[0] == ' ' || s.p[0] == '\t' || s.p[0] == '\r' || s.p[0] == '\n'))
        s = span_drop(s, 1);
    while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' ||
                       s.p[s.n - 1] == '\r' || s.p[s.n - 1] == '\n'))
        s.n--;
    return s;
}

/* tag-name = ALPHA *ALNUMPUNC, ALNUMPUNC = ALPHA / DIGIT / "_" */
static bool name_is_valid(struct span name)
{
    if (name.n == 0 || !ascii_is_alpha(name.p[0]))
        return false;
    for (size_t i = 1; i < name.n; i++)
        if (!ascii_is_alnum(name.p[i]) && name.p[i] != '_')
            return false;
    return true;
}

bool taglist_get(const struct taglist *l, const char *name, struct span *value)
{
    for (size_t i = 0; i < l->n; i++) {
        if (span_eq_str(l->tag[i].name, name)) {
            *value = l->tag[i].value;
            return true;
        }
    }
    return false;
}

static int add_tag(struct span part, struct taglist *l, struct err *err)
{
    struct span name, value;

    if (!span_cut(part, '=', &name, &value))
        return err_set(err, "\"%.*s\" is not tag=value", SPAN_ARG(part));
    name = trim_fws(name);
    if (!name_is_valid(name))
        return err_set(err, "\"%.*s\" is not the name of a tag", SPAN_ARG(name));
    for (size_t i = 0; i < l->n; i++)
        if (span_eq(l->tag[i].name, name))
            return err_set(err, "%.*s= stands twice", SPAN_ARG(name));
    if (l->n == TAGLIST_MAX)
        return err_set(err, "more than %d tags", TAGLIST_MAX);
    l->tag[l->n++] = (struct tag){name, trim_fws(value)};
    return 0;
}

int taglist_parse(struct span text, struct taglist *l, struct err *err)
{
    struct span rest = text, part;

    l->n = 0;
    for (;;) {
        bool is_more = span_cut(rest, ';', &part, &rest);

        part = trim_fws(part);
        if (part.n == 0 && !is_more)
            return 0; /* one semicolon at the end is allowed */
        if (part.n == 0)
            return err_set(err, "a semicolon with nothing in front of it");
        if (add_tag(part, l, err) == -1)
            return -1;
        if (!is_more)
            return 0;
    }
}
