/* SPDX-License-Identifier: ISC */
/* base/conf/value.c - the types of configuration values; see value.h.
 *
 * Each type is one function of `types`: it checks one text, and writes the canonical form,
 * so that `yes` and `on`, `Mail.Example.COM.` and `mail.example.com` are told apart
 * nowhere else. Messages name what was found, what is allowed, and the nearest allowed
 * word when there are only a few. */
#include "base/conf/value.h"

#include <assert.h>
#include <string.h>

#include "base/conf/suggest.h"

#define HOST_MAX 253u /* RFC 1035 2.3.4: 255 on the wire */

static const char *const service_names[CONF_SERVICE_COUNT] = {
    [CONF_DNS] = "dns",
    [CONF_SMTP] = "smtp",
    [CONF_SUBMISSION] = "submission",
    [CONF_SUBMISSIONS] = "submissions",
    [CONF_IMAP] = "imap",
    [CONF_IMAPS] = "imaps",
};

const char *conf_service_name(enum conf_service service)
{
    assert(service < CONF_SERVICE_COUNT);
    return service_names[service];
}

/* Texts that are already canonical. */
static int keep(const char *word, struct buf *text)
{
    return buf_str(text, word);
}

static int check_text(const struct conf_key *k, const char *word, struct buf *text,
                      int64_t *number, struct err *err)
{
    (void)number;
    if (word[0] == '\0')
        return err_set(err, "%s: the value is empty; leave the line out instead", k->key);
    return keep(word, text);
}

/* Numbers ------------------------------------------------------------------------------ */

struct suffix {
    char letter;
    int64_t factor;
};

static const struct suffix octet_suffixes[] = {
    {'K', 1024}, {'M', 1024 * 1024}, {'G', 1024 * 1024 * 1024}, {0, 0}};
static const struct suffix time_suffixes[] = {{'s', 1},     {'m', 60},     {'h', 3600},
                                              {'d', 86400}, {'w', 604800}, {0, 0}};

/* What the suffix at the end of `s` multiplies by; 1 without, 0 when it is unknown. */
static int64_t take_suffix(const char *unit, struct span *s)
{
    const struct suffix *list = strcmp(unit, "octets") == 0 ? octet_suffixes
                                : strcmp(unit, "s") == 0    ? time_suffixes
                                                            : NULL;
    uint8_t last = s->n == 0 ? 0 : s->p[s->n - 1];

    if (!ascii_is_alpha(last))
        return 1;
    for (; list != NULL && list->letter != 0; list++)
        if (ascii_lower((uint8_t)list->letter) == ascii_lower(last)) {
            s->n--;
            return list->factor;
        }
    return 0;
}

static int check_int(const struct conf_key *k, const char *word, struct buf *text,
                     int64_t *number, struct err *err)
{
    struct span s = span_str(word);
    int64_t factor = take_suffix(k->unit, &s);
    const char *hint = strcmp(k->unit, "octets") == 0 ? "; K, M or G may follow"
                       : strcmp(k->unit, "s") == 0    ? "; s, m, h, d or w may follow"
                                                      : "";
    const char *unit = strcmp(k->unit, "s") == 0 ? "seconds" : k->unit;
    uint64_t v;

    assert(k->min >= 0);
    if (factor == 0 || !span_to_u64(s, (uint64_t)(INT64_MAX / factor), &v))
        return err_set(err, "%s: \"%s\" is not a whole number%s%s (%lld to %lld%s%s%s)",
                       k->key, word, *unit ? " of " : "", unit, (long long)k->min,
                       (long long)k->max, *unit ? " " : "", unit, hint);
    *number = (int64_t)v * factor;
    if (*number < k->min || *number > k->max)
        return err_set(err, "%s: %s is out of range, allowed are %lld to %lld%s%s%s",
                       k->key, word, (long long)k->min, (long long)k->max,
                       *unit ? " " : "", unit, hint);
    return buf_printf(text, "%lld", (long long)*number);
}

/* Words -------------------------------------------------------------------------------- */

static int check_bool(const struct conf_key *k, const char *word, struct buf *text,
                      int64_t *number, struct err *err)
{
    if (strcmp(word, "yes") != 0 && strcmp(word, "no") != 0)
        return err_set(err, "%s: \"%s\" is neither \"yes\" nor \"no\"", k->key, word);
    *number = word[0] == 'y';
    return keep(word, text);
}

static int check_choice(const struct conf_key *k, const char *word, struct buf *text,
                        int64_t *number, struct err *err)
{
    struct span rest = span_str(k->choices);
    struct suggest near = {.wanted = word};
    char names[8][32];
    struct span name;

    (void)number;
    for (size_t i = 0; i < COUNT_OF(names) && span_word(&rest, &name); i++) {
        if (span_eq_str(name, word))
            return keep(word, text);
        if (span_copy(name, names[i], sizeof names[i]))
            suggest_offer(&near, names[i]);
    }
    if (near.best != NULL)
        return err_set(err, "%s: \"%s\" is not one of: %s; did you mean \"%s\"?", k->key,
                       word, k->choices, near.best);
    return err_set(err, "%s: \"%s\" is not one of: %s", k->key, word, k->choices);
}

/* Names -------------------------------------------------------------------------------- */

/* Labels of letters, digits, hyphens inside and (in zones) underscores; no final dot. */
static bool is_name(struct span name, bool allow_underscore)
{
    struct span label;
    bool has_more;

    if (name.n == 0 || name.n > HOST_MAX)
        return false;
    do {
        has_more = span_cut(name, '.', &label, &name);
        if (label.n == 0 || label.n > 63 || label.p[0] == '-' ||
            label.p[label.n - 1] == '-')
            return false;
        for (size_t i = 0; i < label.n; i++)
            if (!ascii_is_alnum(label.p[i]) && label.p[i] != '-' &&
                !(allow_underscore && label.p[i] == '_'))
                return false;
    } while (has_more);
    return true;
}

/* Append `name` in lower case. */
static int put_lower(struct buf *text, struct span name, const char *tail)
{
    size_t from = text->len;

    if (buf_span(text, name) == -1 || buf_str(text, tail) == -1)
        return -1;
    ascii_lower_all(text->data + from, name.n);
    return 0;
}

static struct span without_final_dot(const char *word)
{
    struct span s = span_str(word);

    return s.n > 1 && s.p[s.n - 1] == '.' ? span_take(s, s.n - 1) : s;
}

static int check_host(const struct conf_key *k, const char *word, struct buf *text,
                      int64_t *number, struct err *err)
{
    struct span s = without_final_dot(word);
    struct ipaddr a;

    (void)number;
    if (ipaddr_parse(s, &a))
        return err_set(err, "%s: %s is an address; a host name such as %s is needed",
                       k->key, word, k->example);
    if (!is_name(s, false))
        return err_set(err,
                       "%s: \"%s\" is not a host name (letters, digits, hyphens; write "
                       "names in other scripts as A-labels, xn--...)",
                       k->key, word);
    if (span_index(s, '.') == -1)
        return err_set(err, "%s: \"%s\" is not a full name; write it with its domain, %s",
                       k->key, word, k->example);
    return put_lower(text, s, "");
}

static int check_zone(const struct conf_key *k, const char *word, struct buf *text,
                      int64_t *number, struct err *err)
{
    struct span s = without_final_dot(word);

    (void)number;
    if (!is_name(s, true))
        return err_set(err, "%s: \"%s\" is not a domain name such as %s", k->key, word,
                       k->example);
    return put_lower(text, s, ".");
}

/* Addresses ---------------------------------------------------------------------------- */

static int put_addr(struct buf *text, const struct ipaddr *a)
{
    char printed[IPADDR_TEXT];

    ipaddr_print(a, printed);
    return buf_str(text, printed);
}

static int check_addr(const struct conf_key *k, const char *word, struct buf *text,
                      int64_t *number, struct err *err)
{
    struct ipaddr a;

    (void)number;
    if (!ipaddr_parse(span_str(word), &a))
        return err_set(err, "%s: \"%s\" is not an IPv4 or IPv6 address", k->key, word);
    return put_addr(text, &a);
}

static int check_server(const struct conf_key *k, const char *word, struct buf *text,
                        int64_t *number, struct err *err)
{
    struct span addr;
    struct span port;
    struct ipaddr a;
    uint64_t n;
    bool has_port = span_cut(span_str(word), '@', &addr, &port);

    (void)number;
    if (!ipaddr_parse(addr, &a))
        return err_set(err, "%s: \"%s\" is not an address, or an address@port", k->key,
                       word);
    if (has_port && (!span_to_u64(port, UINT16_MAX, &n) || n == 0))
        return err_set(err, "%s: \"%s\": the port must be 1 to 65535", k->key, word);
    if (put_addr(text, &a) == -1)
        return -1;
    return has_port ? buf_printf(text, "@%llu", (unsigned long long)n) : 0;
}

bool value_listen(const char *text, enum conf_service *service, struct ipaddr *addr,
                  uint16_t *port)
{
    struct span rest = span_str(text);
    struct span name;

    if (!span_word(&rest, &name))
        return false;
    for (int i = 0; i < CONF_SERVICE_COUNT; i++)
        if (span_eq_str(name, service_names[i])) {
            *service = (enum conf_service)i;
            return ipaddr_parse_port(span_trim(rest), addr, port);
        }
    return false;
}

static int check_listen(const struct conf_key *k, const char *const *words, size_t n,
                        struct buf *text, struct err *err)
{
    struct suggest near = {.wanted = words[0]};
    struct ipaddr addr;
    uint16_t port;
    bool is_service = false;

    for (int i = 0; i < CONF_SERVICE_COUNT; i++) {
        is_service = is_service || strcmp(words[0], service_names[i]) == 0;
        suggest_offer(&near, service_names[i]);
    }
    if (!is_service)
        return err_set(err,
                       "%s: \"%s\" is not a service (dns smtp submission submissions "
                       "imap imaps)%s%s%s",
                       k->key, words[0], near.best ? "; did you mean \"" : "",
                       near.best ? near.best : "", near.best ? "\"?" : "");
    if (n != 2)
        return err_set(err, "%s: write a service and an address with port, %s %s", k->key,
                       k->key, k->example);
    if (!ipaddr_parse_port(span_str(words[1]), &addr, &port))
        return err_set(err,
                       "%s: \"%s\" is not ADDRESS:PORT, [IPV6-ADDRESS]:PORT or *:PORT",
                       k->key, words[1]);
    return buf_printf(text, "%s %s", words[0], words[1]);
}

/* -------------------------------------------------------------------------------------- */

typedef int (*check_fn)(const struct conf_key *k, const char *word, struct buf *text,
                        int64_t *number, struct err *err);

static const check_fn types[] = {
    [CONF_TEXT] = check_text, [CONF_PATH] = check_text,     [CONF_INT] = check_int,
    [CONF_BOOL] = check_bool, [CONF_CHOICE] = check_choice, [CONF_HOST] = check_host,
    [CONF_ZONE] = check_zone, [CONF_ADDR] = check_addr,     [CONF_SERVER] = check_server,
};

int value_check(const struct conf_key *k, const char *const *words, size_t n,
                struct buf *text, int64_t *number, struct err *err)
{
    *number = 0;
    if (n == 0)
        return err_set(err, "%s needs a value, for example: %s %s", k->key, k->key,
                       k->example);
    if (k->type == CONF_LISTEN)
        return check_listen(k, words, n, text, err);
    if (n > 1)
        return err_set(err, "%s takes one value; put double quotes around blanks%s",
                       k->key,
                       k->is_repeatable ? ", or repeat the line for several" : "");
    return types[k->type](k, words[0], text, number, err);
}
