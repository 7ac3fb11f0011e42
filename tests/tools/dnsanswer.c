/* SPDX-License-Identifier: ISC */
/* tests/tools/dnsanswer.c - answers questions from master files, with the engine of dnsd and
 * no network; for comparison with the answers of other servers.
 *
 *     dnsanswer ZONEFILE...  <questions
 *
 * The name of each file (without folder) is its zone's. A question is "NAME TYPE [tcp]" on a
 * line of standard input. Each answer: one line "RCODE FLAGS", one line
 * "SECTION<tab>owner<tab>ttl<tab>type<tab>rdata" per record (0 answer, 1 authority,
 * 2 additional), and an empty line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "base/dns/message.h"
#include "base/dns/rdata.h"
#include "dnsd/query.h"
#include "zones/image_build.h"
#include "zones/zonefile.h"

static void free_now(void *ctx, void *memory)
{
    (void)ctx;
    free(memory);
}

static int read_file(const char *path, struct buf *text)
{
    FILE *f = fopen(path, "r");
    uint8_t chunk[65536];
    size_t n;
    int rc = f != NULL ? 0 : -1;

    while (rc == 0 && (n = fread(chunk, 1, sizeof(chunk), f)) > 0)
        rc = buf_append(text, chunk, n);
    if (f != NULL)
        (void)fclose(f);
    return rc;
}

static int load(struct zonetab *t, const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    const char *apex_text = slash != NULL ? slash + 1 : path;
    static const uint64_t key[2] = {1, 2};
    struct zone *z = NULL;
    struct zone_live *live = NULL;
    struct dname apex;
    struct buf text;
    struct buf image;

    buf_init(&text, 256u << 20);
    buf_init(&image, IMAGE_SIZE_MAX);
    if (dname_parse(span_str(apex_text), NULL, &apex) != DNAME_OK ||
        read_file(path, &text) != 0)
        (void)err_set(err, "%s: cannot be read", path);
    else
        z = zonefile_parse(apex_text, buf_all(&text), dname_span(&apex), "file", err);
    if (z != NULL && image_build(z, key, &image, err) == 0)
        live = zone_live_new(buf_all(&image), err);
    if (live != NULL)
        zonetab_put(t, live);
    zone_free(&z);
    buf_free(&text);
    buf_free(&image);
    return live != NULL ? 0 : -1;
}

static void print_rr(struct span packet, const struct message_rr *rr)
{
    char owner[DNAME_TEXT];
    char type[RRTYPE_TEXT];
    struct buf rdata;
    struct buf text;

    buf_init(&rdata, RDATA_MAX);
    buf_init(&text, 4u * RDATA_MAX + 64);
    (void)dname_print(dname_span(&rr->owner), owner);
    if (rdata_unpack(rr->type, packet, rr->rdata_at, rr->rdata.n, &rdata) == 0 &&
        rdata_print(rr->type, buf_all(&rdata), &text) == 0)
        (void)printf("%d\t%s\t%u\t%s\t%s\n", (int)rr->section - 1, owner, rr->ttl_s,
                     rrtype_print(rr->type, type), buf_cstr(&text));
    buf_free(&rdata);
    buf_free(&text);
}

static void print_reply(struct span packet)
{
    struct message m;
    struct message_rr rr;

    if (!message_open(&m, packet))
        return;
    (void)printf("%s%s%s\n", rcode_name(message_rcode(&m)),
                 m.flags & MESSAGE_AA ? " aa" : "", m.flags & MESSAGE_TC ? " tc" : "");
    while (message_next(&m, &rr) == MESSAGE_OK)
        if (rr.section != MESSAGE_QUESTION && rr.type != RR_OPT)
            print_rr(packet, &rr);
    (void)putchar('\n');
}

static void answer(const struct query_ctx *ctx, const char *line, uint8_t *packet)
{
    struct message_query q = {.class = RRCLASS_IN, .edns_payload = 4096};
    char name[1100];
    char type[32];
    struct dname qname;
    struct buf query;
    size_t n;

    buf_init(&query, 600);
    if (sscanf(line, "%1099s %31s", name, type) == 2 &&
        dname_parse(span_str(name), NULL, &qname) == DNAME_OK &&
        rrtype_parse(span_str(type), &q.type) &&
        message_put_query(&query, dname_span(&qname), &q) == 0) {
        memcpy(packet, query.data, query.len);
        n = query_answer(ctx, packet, query.len, QUERY_TCP_CAP,
                         strstr(line, " tcp") != NULL ? QUERY_TCP : QUERY_UDP);
        print_reply(span_of(packet, n));
    } else {
        (void)printf("question not understood\n\n");
    }
    buf_free(&query);
}

int main(int argc, char **argv)
{
    struct zonetab *t = zonetab_new(rng_system(), free_now, NULL);
    struct stats *stats = aligned_alloc(_Alignof(struct stats), sizeof(*stats));
    uint8_t *packet = mem_new(1, QUERY_TCP_CAP);
    struct query_ctx ctx = {t, stats};
    struct err err = {0};
    char line[2048];
    int rc = 0;

    if (stats == NULL)
        return 2;
    memset(stats, 0, sizeof(*stats));
    for (int i = 1; i < argc && rc == 0; i++)
        rc = load(t, argv[i], &err);
    if (rc != 0)
        (void)fprintf(stderr, "dnsanswer: %s\n", err.text);
    while (rc == 0 && fgets(line, sizeof(line), stdin) != NULL)
        answer(&ctx, line, packet);
    free(packet);
    free(stats);
    zonetab_free(&t);
    return rc == 0 ? 0 : 1;
}
