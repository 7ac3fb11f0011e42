/* SPDX-License-Identifier: ISC */
/* The parts of a message, values with parameters, text of mail (base/msg/mime.h,
 * base/msg/encword.h). Input: any message. */
#include "base/msg/encword.h"
#include "base/msg/header.h"
#include "base/msg/mime.h"
#include "tests/fuzz/fuzz.h"

#define ARENA_MAX (4u << 20)
#define TEXT_MAX  (256u * 1024u)

static size_t count_lf(struct span s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == '\n';
    return n;
}

/* Which parts stand where; every part but the first hangs on exactly one parent. */
static void check_tree(const struct mime_tree *t, struct span m)
{
    LAW(t->n >= 1 && t->n <= MIME_PARTS_MAX, "a tree has its number of parts");
    LAW(t->parts[0].header == 0 && t->parts[0].end == m.n &&
            t->parts[0].parent == MIME_NONE,
        "the first part is the message");
    for (int i = 0; i < t->n; i++) {
        const struct mime_part *p = &t->parts[i], *up = p;
        int depth = 0, children = 0;

        LAW(p->header <= p->body && p->body <= p->end && p->end <= m.n,
            "a part lies in its message");
        LAW(p->lines == count_lf(span_take(span_drop(m, p->body), p->end - p->body)),
            "lines are counted");
        for (; up->parent != MIME_NONE; up = &t->parts[up->parent], depth++)
            LAW(up->parent >= 0 && up->parent < t->n && depth <= MIME_DEPTH_MAX,
                "nesting is bounded");
        LAW(p->parent == MIME_NONE || (p->header >= t->parts[p->parent].body &&
                                       p->end <= t->parts[p->parent].end),
            "a part lies in its parent's body");
        for (int c = p->child; c != MIME_NONE; c = t->parts[c].next, children++)
            LAW(c > i && c < t->n && t->parts[c].parent == i && children < t->n,
                "children know their parent and come behind it");
        LAW((p->kind == MIME_LEAF) == (children == 0) ||
                (p->kind == MIME_MULTIPART && children == 0),
            "a leaf has no children");
        LAW(p->kind != MIME_MESSAGE || children == 1, "a message in a part is one");
    }
}

static void check_values(struct span m, const struct mime_part *p, struct arena *a)
{
    struct span part = span_take(span_drop(m, p->header), p->end - p->header);
    struct header_iter it;
    struct header_field f;
    struct mime_value v;

    for (header_begin(&it, part); header_next(&it, &f);) {
        struct span flat = mime_unfold(f.value, a);

        LAW(span_index(flat, '\n') == -1 && flat.n <= f.value.n,
            "unfolded text is one line");
        if (!mime_value_parse(f.value, a, &v))
            continue;
        LAW(v.n >= 0 && v.n <= MIME_PARAMS_MAX && v.type.n > 0, "a value has its bounds");
        for (int i = 0; i < v.n; i++)
            LAW(v.params[i].name.n > 0 && span_index(v.params[i].value, '\n') == -1,
                "a parameter has a name, and its value is one line");
        (void)mime_param_find(&v, "boundary");
    }
}

static void check_text(struct span m, const struct mime_part *p)
{
    static const char *const charsets[] = {
        "utf-8", "iso-8859-1", "utf-16", "iso-2022-jp", "gb18030", "x-unknown", ""};
    struct span body = span_take(span_drop(m, p->body), p->end - p->body), which = body;
    struct buf octets, text, folded, again;
    unsigned c = fuzz_u8(&which) % COUNT_OF(charsets);

    buf_init(&octets, TEXT_MAX);
    buf_init(&text, TEXT_MAX);
    buf_init(&folded, TEXT_MAX);
    buf_init(&again, TEXT_MAX);
    transfer_decode(p->lines % 2 ? SPAN_LIT("base64") : SPAN_LIT("quoted-printable"),
                    body, &octets);
    LAW(octets.len <= body.n, "decoding makes nothing longer");
    (void)charset_to_utf8(span_str(charsets[c]), buf_all(&octets), &text);
    LAW(utf8_is_valid(buf_all(&text)), "text is UTF-8");
    utf8_fold(buf_all(&text), &folded);
    LAW(utf8_is_valid(buf_all(&folded)), "folded text is UTF-8");
    utf8_fold(buf_all(&folded), &again);
    fuzz_same(buf_all(&folded), buf_all(&again), "folding is stable");
    buf_free(&octets);
    buf_free(&text);
    buf_free(&folded);
    buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span m = fuzz_heap(span_of(data, n));
    struct arena *a = arena_new(ARENA_MAX), *small = arena_new(600);
    struct mime_tree tree;

    if (mime_parse(m, a, &tree)) {
        check_tree(&tree, m);
        for (int i = 0; i < tree.n && i < 20; i++) {
            check_values(m, &tree.parts[i], a);
            check_text(m, &tree.parts[i]);
        }
    }
    if (mime_parse(m, small, &tree))
        check_tree(&tree, m);
    arena_free(&a);
    arena_free(&small);
    fuzz_heap_free(m);
    return 0;
}
