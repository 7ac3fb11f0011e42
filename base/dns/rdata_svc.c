/* SPDX-License-Identifier: ISC */
/* Design: SvcParams (RFC 9460 2.1, 2.2) are key=value pairs. On the wire keys ascend, so
 * text is first gathered in an array, sorted, then written. Values of the keys that RFC 9460
 * 7 and 8 define have their own text; others are octets with escapes. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/codec.h"
#include "base/core/ipaddr.h"
#include "base/core/wire.h"
#include "base/dns/rdata.h"
#include "base/dns/rdata_int.h"

enum { SVC_MAX = 64, KEY_MANDATORY = 0, KEY_INVALID = 65535 };

enum svc_value { V_OCTETS, V_KEYS, V_ALPN, V_NONE, V_PORT, V_IPV4, V_ECH, V_IPV6 };

static const struct {
    const char *name;
    enum svc_value value;
} keys[] = {
    {"mandatory", V_KEYS}, {"alpn", V_ALPN},      {"no-default-alpn", V_NONE},
    {"port", V_PORT},      {"ipv4hint", V_IPV4},  {"ech", V_ECH},
    {"ipv6hint", V_IPV6},  {"dohpath", V_OCTETS},
};

struct svc_param {
    uint16_t key;
    struct span text; /* raw value */
    bool has_value;
};

static enum svc_value value_kind(uint16_t key)
{
    return key < COUNT_OF(keys) ? keys[key].value : V_OCTETS;
}

static bool parse_key(struct span text, uint16_t *key)
{
    uint64_t number;

    for (size_t i = 0; i < COUNT_OF(keys); i++)
        if (span_eq_str(text, keys[i].name)) {
            *key = (uint16_t)i;
            return true;
        }
    if (!span_starts(text, SPAN_LIT("key")) ||
        !span_to_u64(span_drop(text, 3), KEY_INVALID - 1, &number) ||
        (text.n > 4 && text.p[3] == '0'))
        return false;
    *key = (uint16_t)number;
    return true;
}

static int print_key(uint16_t key, struct buf *text)
{
    if (key < COUNT_OF(keys))
        return buf_str(text, keys[key].name);
    return buf_printf(text, "key%u", key);
}

static int cmp_param(const void *a, const void *b)
{
    const struct svc_param *x = a;
    const struct svc_param *y = b;

    return (x->key > y->key) - (x->key < y->key);
}

/* --- text to wire --- */

/* key, key=value, key="value": one token, or a token that ends in '=' and a quoted one. */
static int next_param(struct span *text, struct svc_param *param, struct err *err)
{
    struct rdata_token t;
    struct span name;

    switch (rdata_token_next(text, &t)) {
    case RDATA_TOKEN_NONE:
        return 0;
    case RDATA_TOKEN_UNCLOSED:
        return err_set(err, "a quoted value is not closed");
    case RDATA_TOKEN:
        break;
    }
    param->has_value = span_cut(t.raw, '=', &name, &param->text);
    if (param->has_value && param->text.n == 0 && text->n > 0 && text->p[0] == '"') {
        if (rdata_token_next(text, &t) != RDATA_TOKEN)
            return err_set(err, "a quoted value is not closed");
        param->text = t.raw;
    }
    if (!parse_key(name, &param->key))
        return err_set(err, "\"%.*s\" is not a parameter name", SPAN_ARG(name));
    return 1;
}

/* Cut at the next comma that no backslash hides; *has_more tells whether there was one. */
static struct span next_item(struct span *list, bool *has_more)
{
    size_t at = 0;
    struct span item;

    while (at < list->n && list->p[at] != ',')
        at += list->p[at] == '\\' && list->n - at > 1 ? 2 : 1;
    item = span_take(*list, at);
    *has_more = at < list->n;
    *list = span_drop(*list, at + 1);
    return item;
}

static bool put_alpn_item(struct span item, struct buf *wire)
{
    size_t at = wire->len;
    size_t n;

    if (buf_byte(wire, 0) != 0 || rdata_unescape(item, wire) != 0)
        return false;
    n = wire->len - at - 1;
    wire->data[at] = (uint8_t)n;
    return n > 0 && n <= 255;
}

static bool put_item(enum svc_value kind, struct span item, struct buf *wire)
{
    struct ipaddr a;
    uint16_t key;

    switch (kind) {
    case V_KEYS:
        return parse_key(item, &key) && buf_byte(wire, (uint8_t)(key >> 8)) == 0 &&
               buf_byte(wire, (uint8_t)key) == 0;
    case V_ALPN:
        return put_alpn_item(item, wire);
    case V_IPV4:
        return ipaddr_parse(item, &a) && a.family == AF_INET &&
               buf_append(wire, a.b, 4) == 0;
    case V_IPV6:
        return ipaddr_parse(item, &a) && a.family == AF_INET6 &&
               buf_append(wire, a.b, 16) == 0;
    case V_OCTETS:
    case V_NONE:
    case V_PORT:
    case V_ECH:
        break;
    }
    return false;
}

static int cmp_u16(const void *a, const void *b)
{
    return memcmp(a, b, 2);
}

/* Lists are escaped twice: as list items inside a character-string (RFC 9460 A.1). */
static bool put_list(enum svc_value kind, struct span text, struct buf *wire)
{
    size_t start = wire->len;
    struct buf once;
    struct span list;
    bool is_good;
    bool has_more = true;

    buf_init(&once, RDATA_MAX);
    is_good = rdata_unescape(text, &once) == 0 && once.len > 0;
    list = buf_all(&once);
    while (is_good && has_more) /* a comma at the end promises one more */
        is_good = put_item(kind, next_item(&list, &has_more), wire);
    if (is_good && kind == V_KEYS) /* in ascending order (RFC 9460 8) */
        qsort(wire->data + start, (wire->len - start) / 2, 2, cmp_u16);
    buf_free(&once);
    return is_good;
}

static bool put_value(const struct svc_param *p, struct buf *wire)
{
    enum svc_value kind = value_kind(p->key);
    uint64_t port;

    switch (kind) {
    case V_KEYS:
    case V_ALPN:
    case V_IPV4:
    case V_IPV6:
        return put_list(kind, p->text, wire);
    case V_NONE:
        return !p->has_value;
    case V_PORT:
        return span_to_u64(p->text, UINT16_MAX, &port) &&
               buf_byte(wire, (uint8_t)(port >> 8)) == 0 &&
               buf_byte(wire, (uint8_t)port) == 0;
    case V_ECH:
        return p->text.n > 0 && base64_decode(p->text, wire);
    case V_OCTETS:
        break;
    }
    return rdata_unescape(p->text, wire) == 0;
}

static int put_param(const struct svc_param *p, struct buf *wire, struct err *err)
{
    struct wr w;
    size_t at;
    size_t n;

    wr_init(&w, wire);
    wr_u16(&w, p->key);
    wr_u16(&w, 0);
    at = wire->len;
    if (w.is_bad || !put_value(p, wire) || wire->len - at > UINT16_MAX)
        return err_set(err, "the value \"%.*s\" does not fit its parameter",
                       SPAN_ARG(p->text));
    n = wire->len - at;
    wire->data[at - 2] = (uint8_t)(n >> 8);
    wire->data[at - 1] = (uint8_t)n;
    return 0;
}

int rdata_svc_parse(struct span text, struct buf *wire, struct err *err)
{
    struct svc_param params[SVC_MAX];
    size_t n = 0;
    int rc;

    while ((rc = next_param(&text, &params[n], err)) == 1)
        if (++n == SVC_MAX)
            return err_set(err, "more than %d parameters", SVC_MAX - 1);
    if (rc != 0)
        return -1;
    qsort(params, n, sizeof(params[0]), cmp_param);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && params[i].key == params[i - 1].key)
            return err_set(err, "a parameter stands twice");
        if (put_param(&params[i], wire, err) != 0)
            return -1;
    }
    return 0;
}

/* --- checks --- */

static bool is_alpn(struct span value)
{
    while (value.n > 0) {
        if (value.p[0] == 0 || value.n - 1 < value.p[0])
            return false;
        value = span_drop(value, 1u + value.p[0]);
    }
    return true;
}

/* Two-octet keys, ascending, never "mandatory" itself. */
static bool is_key_list(struct span value)
{
    int last = KEY_MANDATORY;

    for (size_t i = 0; i + 1 < value.n; i += 2) {
        int key = value.p[i] << 8 | value.p[i + 1];

        if (key <= last)
            return false;
        last = key;
    }
    return value.n % 2 == 0;
}

static bool is_value(uint16_t key, struct span value)
{
    switch (value_kind(key)) {
    case V_KEYS:
        return value.n > 0 && is_key_list(value);
    case V_ALPN:
        return value.n > 0 && is_alpn(value);
    case V_NONE:
        return value.n == 0;
    case V_PORT:
        return value.n == 2;
    case V_IPV4:
        return value.n > 0 && value.n % 4 == 0;
    case V_IPV6:
        return value.n > 0 && value.n % 16 == 0;
    case V_ECH:
        return value.n > 0;
    case V_OCTETS:
        break;
    }
    return true;
}

static bool has_key(struct span wire, unsigned key)
{
    struct rd r;

    rd_init(&r, wire);
    while (rd_left(&r) > 0) {
        unsigned k = rd_u16(&r);

        (void)rd_span16(&r);
        if (k == key)
            return true;
    }
    return false;
}

bool rdata_svc_is_valid(struct span wire)
{
    struct span mandatory = {NULL, 0};
    struct rd r;
    int last = -1;

    rd_init(&r, wire);
    while (rd_left(&r) > 0) {
        uint16_t key = rd_u16(&r);
        struct span value = rd_span16(&r);

        if (r.is_bad || key <= last || key == KEY_INVALID || !is_value(key, value))
            return false;
        if (key == KEY_MANDATORY)
            mandatory = value;
        last = key;
    }
    for (size_t i = 0; i + 1 < mandatory.n; i += 2)
        if (!has_key(wire, (unsigned)(mandatory.p[i] << 8 | mandatory.p[i + 1])))
            return false;
    return true;
}

/* --- wire to text --- */

static int print_addresses(struct span value, size_t size, struct buf *text)
{
    for (size_t at = 0; at < value.n; at += size) {
        struct ipaddr a = {.family = size == 4 ? AF_INET : AF_INET6};
        char printed[IPADDR_TEXT];

        memcpy(a.b, value.p + at, size);
        ipaddr_print(&a, printed);
        if (buf_printf(text, "%s%s", at > 0 ? "," : "", printed) != 0)
            return -1;
    }
    return 0;
}

/* A comma or backslash of an item is escaped for the list, then for the string. */
static int print_alpn_item(struct span item, struct buf *text)
{
    for (size_t i = 0; i < item.n; i++) {
        uint8_t c = item.p[i];
        int rc;

        if (c == ',')
            rc = buf_str(text, "\\\\,");
        else if (c == '\\')
            rc = buf_str(text, "\\\\\\\\");
        else
            rc = rdata_escape(span_of(item.p + i, 1), text);
        if (rc != 0)
            return -1;
    }
    return 0;
}

static int print_alpn(struct span value, struct buf *text)
{
    bool is_first = true;

    while (value.n > 0) {
        struct span item = span_take(span_drop(value, 1), value.p[0]);

        if ((!is_first && buf_byte(text, ',') != 0) || print_alpn_item(item, text) != 0)
            return -1;
        is_first = false;
        value = span_drop(value, 1 + item.n);
    }
    return 0;
}

static int print_key_list(struct span value, struct buf *text)
{
    for (size_t i = 0; i < value.n; i += 2)
        if ((i > 0 && buf_byte(text, ',') != 0) ||
            print_key((uint16_t)(value.p[i] << 8 | value.p[i + 1]), text) != 0)
            return -1;
    return 0;
}

static int print_value(uint16_t key, struct span value, struct buf *text)
{
    switch (value_kind(key)) {
    case V_KEYS:
        return print_key_list(value, text);
    case V_ALPN:
        return print_alpn(value, text);
    case V_PORT:
        return buf_printf(text, "%u", (unsigned)(value.p[0] << 8 | value.p[1]));
    case V_IPV4:
        return print_addresses(value, 4, text);
    case V_IPV6:
        return print_addresses(value, 16, text);
    case V_ECH:
        return base64_encode(value, text);
    case V_NONE:
    case V_OCTETS:
        break;
    }
    return rdata_escape(value, text);
}

int rdata_svc_print(struct span wire, struct buf *text)
{
    struct rd r;

    rd_init(&r, wire);
    while (rd_left(&r) > 0) {
        size_t start = r.pos;
        uint16_t key = rd_u16(&r);
        struct span value = rd_span16(&r);

        if ((start > 0 && buf_byte(text, ' ') != 0) || print_key(key, text) != 0)
            return -1;
        if (value.n == 0)
            continue;
        if (buf_str(text, "=\"") != 0 || print_value(key, value, text) != 0 ||
            buf_byte(text, '"') != 0)
            return -1;
    }
    return 0;
}
