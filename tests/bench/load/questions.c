/* SPDX-License-Identifier: ISC */
#include "tests/bench/load/questions.h"

#include <stdio.h>
#include <string.h>

#include "base/core/mem.h"
#include "base/dns/message.h"

enum { OPT_OCTETS = 11 };

static bool add_question(struct questions *all, const char *name, const char *type,
                         const char *rcode)
{
    struct message_query q = {.class = RRCLASS_IN, .edns_payload = 1232};
    struct question *made;
    struct dname qname;

    if (dname_parse(span_str(name), NULL, &qname) != DNAME_OK ||
        !rrtype_parse(span_str(type), &q.type))
        return false;
    if (all->n == all->cap) {
        all->cap = all->cap == 0 ? 1024 : all->cap * 2;
        all->at = mem_resize(all->at, all->cap, sizeof(all->at[0]));
    }
    made = &all->at[all->n];
    *made = (struct question){.at = (uint32_t)all->packets.len,
                              .wants_none = strcmp(rcode, "NODATA") == 0};
    while (
        !made->wants_none && *rcode != '\0' && made->rcode < 15 &&
        (rcode_name(made->rcode) == NULL || strcmp(rcode_name(made->rcode), rcode) != 0))
        made->rcode++;
    if (message_put_query(&all->packets, dname_span(&qname), &q) != 0)
        return false;
    made->len = (uint16_t)(all->packets.len - made->at);
    all->n++;
    return true;
}

bool questions_read(struct questions *all, const char *file)
{
    FILE *f = fopen(file, "r");
    char line[1024];
    bool is_good = f != NULL;

    buf_init(&all->packets, (size_t)1 << 30);
    while (is_good && fgets(line, sizeof(line), f) != NULL) {
        char name[600] = "";
        char type[32] = "";
        char rcode[32] = "";

        if (sscanf(line, "%599s %31s %31s", name, type, rcode) < 2)
            continue;
        is_good = add_question(all, name, type, rcode);
        if (!is_good)
            (void)fprintf(stderr, "dnsload: not a question: %s", line);
    }
    if (f != NULL)
        (void)fclose(f);
    return is_good && all->n > 0;
}

const uint8_t *questions_packet(const struct questions *all, const struct question *q)
{
    return all->packets.data + q->at;
}

bool question_is_right(const struct questions *all, const struct question *q,
                       struct span reply)
{
    struct message m;
    struct message_rr rr;
    enum message_result r;
    size_t question_end = (size_t)q->len - OPT_OCTETS;

    if (!message_open(&m, reply) || reply.n < question_end ||
        memcmp(reply.p + MESSAGE_HEADER, questions_packet(all, q) + MESSAGE_HEADER,
               question_end - MESSAGE_HEADER) != 0)
        return false;
    if ((m.flags & MESSAGE_QR) == 0 || message_rcode(&m) != q->rcode)
        return false;
    if (q->rcode != RCODE_REFUSED && (m.flags & MESSAGE_AA) == 0)
        return false;
    if (q->rcode == RCODE_NOERROR && (m.counts[MESSAGE_ANSWER] == 0) != q->wants_none &&
        (m.flags & MESSAGE_TC) == 0)
        return false;
    while ((r = message_next(&m, &rr)) == MESSAGE_OK)
        continue;
    return r == MESSAGE_END;
}
