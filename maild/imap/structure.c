/* SPDX-License-Identifier: ISC */
/* BODY and BODYSTRUCTURE. The shape follows what the tree holds, not what Content-Type
 * claims: a "multipart" without a usable boundary is shown as text/plain, an encoded
 * message/rfc822 as application/octet-stream, since a client would look for children or an
 * envelope that nobody can give it. */
#include "base/msg/header.h"
#include "maild/imap/envelope.h"

struct structure {
    struct imap_out *o;
    struct span message;
    const struct mime_tree *tree;
    bool is_extended;
    struct arena *a;
};

static void put_part(struct structure *s, int part);

static struct span header_of(const struct structure *s, const struct mime_part *p)
{
    return span_of(s->message.p + p->header, p->body - p->header);
}

static void put_params(struct imap_out *o, const struct mime_value *v)
{
    if (v->n == 0) {
        imap_put(o, "NIL");
        return;
    }
    for (int i = 0; i < v->n; i++) {
        imap_put(o, i == 0 ? "(" : " ");
        imap_put_string(o, v->params[i].name);
        imap_put(o, " ");
        imap_put_string(o, v->params[i].value);
    }
    imap_put(o, ")");
}

static void put_field(struct structure *s, struct span header, const char *name)
{
    struct header_field f;

    imap_put(s->o, " ");
    if (header_find(header, name, &f))
        imap_put_nstring(s->o, mime_unfold(f.value, s->a));
    else
        imap_put(s->o, "NIL");
}

static void put_disposition(struct structure *s, struct span header)
{
    struct header_field f;
    struct mime_value v;

    if (!header_find(header, "Content-Disposition", &f) ||
        !mime_value_parse(f.value, s->a, &v)) {
        imap_put(s->o, " NIL");
        return;
    }
    imap_put(s->o, " (");
    imap_put_string(s->o, v.type);
    imap_put(s->o, " ");
    put_params(s->o, &v);
    imap_put(s->o, ")");
}

/* Content-Language: NIL, one string, or a list (RFC 3282). */
static void put_language(struct structure *s, struct span header)
{
    struct header_field f;
    struct span rest, tag;
    const char *sep = "(";

    if (!header_find(header, "Content-Language", &f)) {
        imap_put(s->o, " NIL");
        return;
    }
    rest = mime_unfold(f.value, s->a);
    imap_put(s->o, " ");
    while (rest.n > 0) {
        (void)span_cut(rest, ',', &tag, &rest);
        tag = span_trim(tag);
        if (tag.n == 0)
            continue;
        imap_put(s->o, sep);
        imap_put_string(s->o, tag);
        sep = " ";
    }
    imap_put(s->o, sep[0] == '(' ? "NIL" : ")");
}

/* disposition, language, location: the tail both forms share. */
static void put_extension(struct structure *s, struct span header)
{
    put_disposition(s, header);
    put_language(s, header);
    put_field(s, header, "Content-Location");
}

static bool content_type(struct structure *s, struct span header, struct mime_value *v)
{
    struct header_field f;

    if (header_find(header, "Content-Type", &f) && mime_value_parse(f.value, s->a, v) &&
        v->subtype.n > 0)
        return true;
    *v = (struct mime_value){
        .type = SPAN_LIT("text"), .subtype = SPAN_LIT("plain"), .n = 1};
    v->params[0].name = SPAN_LIT("charset"); /* RFC 2045 5.2 */
    v->params[0].value = SPAN_LIT("us-ascii");
    return false;
}

static void put_multipart(struct structure *s, const struct mime_part *p)
{
    struct span header = header_of(s, p);
    struct mime_value v;

    imap_put(s->o, "(");
    for (int i = p->child; i != MIME_NONE; i = s->tree->parts[i].next)
        put_part(s, i);
    if (p->child == MIME_NONE) /* the grammar wants one */
        imap_put(s->o, "(\"text\" \"plain\" NIL NIL NIL \"7bit\" 0 0)");
    imap_put(s->o, " ");
    (void)content_type(s, header, &v);
    imap_put_string(s->o, v.subtype);
    if (s->is_extended) {
        imap_put(s->o, " ");
        put_params(s->o, &v);
        put_extension(s, header);
    }
    imap_put(s->o, ")");
}

/* What a leaf is to be called, see the top of this file. */
static void leaf_type(const struct mime_part *p, bool was_given, struct mime_value *v)
{
    if (p->kind == MIME_MESSAGE) {
        if (!was_given)
            v->n = 0;
        v->type = SPAN_LIT("message");
        if (!was_given || !span_eq_str_nocase(v->subtype, "global"))
            v->subtype = SPAN_LIT("rfc822");
    } else if (span_eq_str_nocase(v->type, "multipart")) {
        v->type = SPAN_LIT("text");
        v->subtype = SPAN_LIT("plain");
    } else if (span_eq_str_nocase(v->type, "message") &&
               (span_eq_str_nocase(v->subtype, "rfc822") ||
                span_eq_str_nocase(v->subtype, "global"))) {
        v->type = SPAN_LIT("application");
        v->subtype = SPAN_LIT("octet-stream");
    }
}

static void put_leaf(struct structure *s, const struct mime_part *p)
{
    struct span header = header_of(s, p), encoding = SPAN_LIT("7bit");
    struct header_field f;
    struct mime_value v;
    bool was_given = content_type(s, header, &v);

    leaf_type(p, was_given, &v);
    imap_put(s->o, "(");
    imap_put_string(s->o, v.type);
    imap_put(s->o, " ");
    imap_put_string(s->o, v.subtype);
    imap_put(s->o, " ");
    put_params(s->o, &v);
    put_field(s, header, "Content-ID");
    put_field(s, header, "Content-Description");
    if (header_find(header, "Content-Transfer-Encoding", &f) && span_trim(f.value).n > 0)
        encoding = mime_unfold(f.value, s->a);
    imap_put(s->o, " ");
    imap_put_string(s->o, encoding);
    imap_putf(s->o, " %zu", p->end - p->body);
    if (p->kind == MIME_MESSAGE) {
        const struct mime_part *in = &s->tree->parts[p->child];

        imap_put(s->o, " ");
        imap_put_envelope(s->o, header_of(s, in), s->a);
        imap_put(s->o, " ");
        put_part(s, p->child);
    }
    if (p->kind == MIME_MESSAGE || span_eq_str_nocase(v.type, "text"))
        imap_putf(s->o, " %zu", p->lines);
    if (s->is_extended) {
        put_field(s, header, "Content-MD5");
        put_extension(s, header);
    }
    imap_put(s->o, ")");
}

/* The recursion is as deep as the tree: MIME_DEPTH_MAX. */
static void put_part(struct structure *s, int part)
{
    const struct mime_part *p = &s->tree->parts[part];

    if (p->kind == MIME_MULTIPART)
        put_multipart(s, p);
    else
        put_leaf(s, p);
}

void imap_put_structure(struct imap_out *o, struct span message,
                        const struct mime_tree *tree, int part, bool is_extended,
                        struct arena *a)
{
    struct structure s = {o, message, tree, is_extended, a};

    put_part(&s, part);
}
