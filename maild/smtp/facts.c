/* SPDX-License-Identifier: ISC */
#include "maild/smtp/facts.h"

#include "base/core/utf8.h"

int facts_string(struct buf *out, struct span text)
{
    int rc = buf_byte(out, '"');

    while (text.n > 0 && rc == 0) {
        uint32_t point = 0;
        size_t n = utf8_plain_run(text);

        if (n > 0) {
            rc = buf_append(out, text.p, n);
            text = span_drop(text, n);
            continue;
        }
        n = utf8_next(text, &point);
        if (n == 0) {
            rc = buf_str(out, "\\ufffd");
            n = 1;
        } else if (utf8_is_control(point) || point == '"' || point == '\\') {
            rc = buf_printf(out, "\\u%04x", (unsigned)point); /* none is over FFFF */
        } else {
            rc = buf_append(out, text.p, n);
        }
        text = span_drop(text, n);
    }
    return rc == 0 ? buf_byte(out, '"') : -1;
}

/* ,"key":"value" - nothing for an absent one. */
static int member(struct buf *out, const char *key, const char *value)
{
    if (value == NULL || value[0] == '\0')
        return 0;
    if (out->len > 0 && out->data[out->len - 1] != '{' && buf_byte(out, ',') == -1)
        return -1;
    if (buf_byte(out, '"') == -1 || buf_str(out, key) == -1 || buf_str(out, "\":") == -1)
        return -1;
    return facts_string(out, span_str(value));
}

void facts_decision(struct buf *decisions, const char *at, const char *subject,
                    unsigned code, const char *text)
{
    size_t start = decisions->len;

    if ((start == 0 || buf_byte(decisions, ',') == 0) && buf_byte(decisions, '{') == 0 &&
        member(decisions, "at", at) == 0 && member(decisions, "subject", subject) == 0 &&
        buf_printf(decisions, ",\"code\":%u", code) == 0 &&
        member(decisions, "text", text) == 0 && buf_byte(decisions, '}') == 0)
        return;
    buf_truncate(decisions, start); /* no room: the list ends here */
}

int facts_print(const struct smtp_session *s, const struct smtp_peer_facts *p,
                struct buf *out)
{
    if (buf_byte(out, '{') == -1 || member(out, "service", p->service) == -1 ||
        member(out, "peer", p->peer) == -1 || member(out, "rdns", p->rdns) == -1 ||
        member(out, "rdns_state", p->rdns_state) == -1 ||
        member(out, "helo", s->helo) == -1 ||
        member(out, "protocol", smtp_session_protocol(s)) == -1 ||
        member(out, "tls", p->tls) == -1 || member(out, "login", s->login) == -1)
        return -1;
    if (s->data.size > 0 &&
        buf_printf(out, ",\"size\":%llu", (unsigned long long)s->data.size) == -1)
        return -1;
    if (buf_str(out, ",\"decisions\":[") == -1 ||
        buf_span(out, buf_all(&s->decisions)) == -1)
        return -1;
    return buf_str(out, "]}");
}
