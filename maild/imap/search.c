/* SPDX-License-Identifier: ISC */
/* Three-valued evaluation: NO and YES are final, OPEN means "not without the text". AND and
 * OR stop at the first operand that decides them, so a SEARCH that its flags decide never
 * opens a file.
 *
 * The text is what people see: transfer encoding undone, charset made UTF-8, RFC 2047 words
 * decoded, letters folded; header and body are each made once a message, when first asked
 * for. BODY looks at text parts and the headers of attached messages. */
#include "maild/imap/search.h"

#include "base/msg/address.h"
#include "base/msg/date.h"
#include "base/msg/encword.h"
#include "base/msg/header.h"
#include "base/msg/mime.h"
#include "maild/imap/datetime.h"

#define HEADER_TEXT_MAX (4u * 1024u * 1024u)
#define BODY_TEXT_MAX   (96u * 1024u * 1024u)
#define LIST_ARENA_MAX  (4u * 1024u * 1024u)
#define TREE_ARENA_MAX  (8u * 1024u * 1024u)

bool imap_set_has(const struct imap_set *set, uint32_t n, uint32_t max)
{
    size_t lo = 0, hi = set->n;

    /* "*", and "7:*" where there are less than 7, mean the greatest (RFC 3501 9) */
    if (n == max && set->n > 0 && set->ranges[set->n - 1].hi == IMAP_STAR)
        return true;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (set->ranges[mid].lo <= n)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo > 0 && set->ranges[lo - 1].hi >= n;
}

uint32_t imap_set_after(const struct imap_set *set, uint32_t n)
{
    size_t lo = 0, hi = set->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (set->ranges[mid].lo <= n)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo == set->n || set->ranges[lo].lo == IMAP_STAR ? 0 : set->ranges[lo].lo;
}

bool imap_set_exceeds(const struct imap_set *set, uint32_t max)
{
    for (size_t i = 0; i < set->n; i++) {
        const struct imap_range *r = &set->ranges[i];

        if ((r->lo != IMAP_STAR && r->lo > max) || (r->hi != IMAP_STAR && r->hi > max))
            return true;
    }
    return false;
}

/* ---- text ------------------------------------------------------------------------- */

void imap_text_init(struct imap_text *t, struct span prefix, struct span message)
{
    *t = (struct imap_text){.prefix = prefix, .message = message};
    buf_init(&t->header, HEADER_TEXT_MAX);
    buf_init(&t->body, BODY_TEXT_MAX);
}

void imap_text_free(struct imap_text *t)
{
    buf_free(&t->header);
    buf_free(&t->body);
}

/* Decode `value` and append it folded. */
static void add_value(struct span value, struct buf *out)
{
    struct buf plain;

    buf_init(&plain, value.n * 4 + 16);
    encword_decode(span_trim(value), &plain);
    utf8_fold(buf_all(&plain), out);
    buf_free(&plain);
}

/* Each field as "name: decoded value" and a line end, which no search string holds. */
static void add_header(struct span header, struct buf *out)
{
    struct header_iter it;
    struct header_field f;

    header_begin(&it, header);
    while (header_next(&it, &f)) {
        utf8_fold(f.name, out);
        if (buf_str(out, ": ") == -1)
            return;
        add_value(f.value, out);
        if (buf_str(out, "\n") == -1)
            return;
    }
}

static struct span header_text(struct imap_text *t)
{
    if (!t->has_header) {
        add_header(t->prefix, &t->header);
        add_header(t->message, &t->header);
        t->has_header = true;
    }
    return buf_all(&t->header);
}

/* A leaf's words, when it is text. */
static void add_leaf(struct imap_text *t, const struct mime_part *p, struct arena *a)
{
    struct span header = span_of(t->message.p + p->header, p->body - p->header);
    struct span body = span_of(t->message.p + p->body, p->end - p->body);
    struct span charset = {NULL, 0}, encoding = {NULL, 0};
    struct buf octets, utf8;
    struct header_field f;
    struct mime_value v;

    if (header_find(header, "Content-Type", &f) && mime_value_parse(f.value, a, &v)) {
        if (!span_eq_str_nocase(v.type, "text") &&
            !span_eq_str_nocase(v.type, "multipart"))
            return;
        charset = mime_param_find(&v, "charset");
    }
    if (header_find(header, "Content-Transfer-Encoding", &f))
        encoding = span_trim(f.value);
    buf_init(&octets, body.n + 1);
    transfer_decode(encoding, body, &octets);
    buf_init(&utf8, octets.len * 4 + 4);
    (void)charset_to_utf8(charset, buf_all(&octets), &utf8);
    utf8_fold(buf_all(&utf8), &t->body);
    buf_free(&octets);
    buf_free(&utf8);
}

static struct span body_text(struct imap_text *t)
{
    struct mime_tree tree;
    struct arena *a;

    if (t->has_body)
        return buf_all(&t->body);
    a = arena_new(TREE_ARENA_MAX);
    if (mime_parse(t->message, a, &tree)) {
        for (int i = 0; i < tree.n; i++) {
            const struct mime_part *p = &tree.parts[i];

            if (p->kind == MIME_LEAF)
                add_leaf(t, p, a);
            else if (p->kind == MIME_MESSAGE)
                add_header(span_of(t->message.p + p->body, p->end - p->body), &t->body);
        }
    }
    arena_free(&a);
    t->has_body = true;
    return buf_all(&t->body);
}

static bool is_address_field(struct span name)
{
    static const char *const names[] = {"From", "Sender", "Reply-To", "To", "Cc", "Bcc"};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (span_eq_str_nocase(name, names[i]))
            return true;
    }
    return false;
}

/* The addresses once more, as the envelope has them: comments and folds inside one do not
 * keep "a@b" from being found. When the buffer is full the text ends. */
static void add_addresses(struct span value, struct buf *out)
{
    struct arena *a = arena_new(LIST_ARENA_MAX);
    struct address_list list;

    address_list_parse(value, a, &list);
    for (size_t i = 0; i < list.n; i++) {
        const struct address *v = &list.v[i];

        if (buf_str(out, "\n") == -1)
            break;
        add_value(v->name, out);
        if (buf_str(out, " <") == -1)
            break;
        utf8_fold(v->local, out);
        if (buf_str(out, "@") == -1)
            break;
        utf8_fold(v->domain, out);
        if (buf_str(out, ">") == -1)
            break;
    }
    arena_free(&a);
}

static bool one_header_has(struct span header, const struct imap_key *k)
{
    struct header_iter it;
    struct header_field f;
    bool is_hit = false;

    header_begin(&it, header);
    while (!is_hit && header_next(&it, &f)) {
        struct buf value;

        if (!span_eq_nocase(f.name, k->field) || f.name.n == 0)
            continue;
        buf_init(&value, f.value.n * 16 + 4096);
        add_value(f.value, &value);
        if (k->text.n > 0 && is_address_field(f.name))
            add_addresses(f.value, &value);
        is_hit = k->text.n == 0 || span_find(buf_all(&value), k->text) >= 0;
        buf_free(&value);
    }
    return is_hit;
}

/* The day written in the Date field, whatever its time and zone (RFC 3501 6.4.4). */
static bool sent_day(const struct imap_text *t, int64_t *day)
{
    struct header_field f;
    int64_t wall_s;
    int zone_min;

    if (!header_find(t->message, "Date", &f) || !date_parse(f.value, &wall_s, &zone_min))
        return false;
    *day = imap_day_of(wall_s + zone_min * 60);
    return true;
}

/* ---- matching --------------------------------------------------------------------- */

static enum imap_match of_bool(bool b)
{
    return b ? IMAP_MATCH_YES : IMAP_MATCH_NO;
}

static bool has_keyword(const struct imap_key *k, const struct imap_facts *f,
                        const struct imap_search_env *env)
{
    for (size_t i = 0; i < env->n_keywords; i++) {
        if (env->keywords[i] != NULL && span_eq_str_nocase(k->text, env->keywords[i]))
            return (f->flags >> (IMAP_FLAG_KEYWORD + i) & 1) != 0;
    }
    return false;
}

static enum imap_match match_text(const struct imap_key *k, struct imap_text *t)
{
    int64_t day;

    switch (k->kind) {
    case IMAP_KEY_HEADER:
        return of_bool(one_header_has(t->prefix, k) || one_header_has(t->message, k));
    case IMAP_KEY_BODY:
        return of_bool(span_find(body_text(t), k->text) >= 0);
    case IMAP_KEY_TEXT:
        return of_bool(span_find(header_text(t), k->text) >= 0 ||
                       span_find(body_text(t), k->text) >= 0);
    case IMAP_KEY_SENT_BEFORE:
        return of_bool(sent_day(t, &day) && day < k->day);
    case IMAP_KEY_SENT_ON:
        return of_bool(sent_day(t, &day) && day == k->day);
    case IMAP_KEY_SENT_SINCE:
        return of_bool(sent_day(t, &day) && day >= k->day);
    default:
        return IMAP_MATCH_NO;
    }
}

static enum imap_match match_facts(const struct imap_key *k, const struct imap_facts *f,
                                   const struct imap_search_env *env)
{
    int64_t day = imap_day_of(f->date_s);

    switch (k->kind) {
    case IMAP_KEY_ALL:
        return IMAP_MATCH_YES;
    case IMAP_KEY_SEQ:
        return of_bool(imap_set_has(&k->set, f->seq, env->seq_max));
    case IMAP_KEY_UID:
        return of_bool(imap_set_has(&k->set, f->uid, env->uid_max));
    case IMAP_KEY_FLAG:
        return of_bool((f->flags & k->number) != 0);
    case IMAP_KEY_KEYWORD:
        return of_bool(has_keyword(k, f, env));
    case IMAP_KEY_LARGER:
        return of_bool(f->size > k->number);
    case IMAP_KEY_SMALLER:
        return of_bool(f->size < k->number);
    case IMAP_KEY_BEFORE:
        return of_bool(day < k->day);
    case IMAP_KEY_ON:
        return of_bool(day == k->day);
    case IMAP_KEY_SINCE:
        return of_bool(day >= k->day);
    case IMAP_KEY_OLDER:
        return of_bool(env->now_s - f->date_s >= (int64_t)k->number);
    case IMAP_KEY_YOUNGER:
        return of_bool(env->now_s - f->date_s <= (int64_t)k->number);
    default:
        return IMAP_MATCH_OPEN;
    }
}

/* The parser bounds the depth of the tree, so the recursion is bounded. */
enum imap_match imap_search_match(const struct imap_key *key, const struct imap_facts *f,
                                  const struct imap_search_env *env,
                                  struct imap_text *text)
{
    enum imap_match all = key->kind == IMAP_KEY_AND ? IMAP_MATCH_YES : IMAP_MATCH_NO, one;

    switch (key->kind) {
    case IMAP_KEY_NOT:
        one = imap_search_match(key->child, f, env, text);
        return one == IMAP_MATCH_OPEN ? one : of_bool(one == IMAP_MATCH_NO);
    case IMAP_KEY_AND:
    case IMAP_KEY_OR:
        for (const struct imap_key *c = key->child; c != NULL; c = c->next) {
            one = imap_search_match(c, f, env, text);
            if (one == (key->kind == IMAP_KEY_AND ? IMAP_MATCH_NO : IMAP_MATCH_YES))
                return one;
            if (one == IMAP_MATCH_OPEN)
                all = one;
        }
        return all;
    default:
        one = match_facts(key, f, env);
        return one == IMAP_MATCH_OPEN && text != NULL ? match_text(key, text) : one;
    }
}
