/* SPDX-License-Identifier: ISC */
#include "dnsd/zonestat.h"

#include <stdlib.h>

#include "base/core/map.h"
#include "base/core/mem.h"

enum { ZONES_MAX = 10000000 };

struct zonestat {
    struct map *zones; /* name -> struct zone_status */
    size_t served, faulty;
};

struct zonestat *zonestat_new(struct rng *rng)
{
    struct zonestat *z = mem_new(1, sizeof(*z));

    z->zones = map_new(ZONES_MAX, rng);
    return z;
}

static void status_free(struct zone_status *s)
{
    free(s->fault);
    free(s);
}

void zonestat_free(struct zonestat **z)
{
    size_t cursor = 0;
    struct span name;
    void *s;

    if (*z == NULL)
        return;
    while (map_next((*z)->zones, &cursor, &name, &s))
        status_free(s);
    map_free(&(*z)->zones);
    free(*z);
    *z = NULL;
}

static struct zone_status *status_of(struct zonestat *z, const char *name)
{
    struct zone_status *s = map_get(z->zones, span_str(name));

    if (s != NULL)
        return s;
    s = mem_new(1, sizeof(*s));
    if (map_put(z->zones, span_str(name), s) == 0)
        return s;
    free(s);
    return NULL;
}

static void set_fault(struct zonestat *z, struct zone_status *s, const char *why)
{
    z->faulty += (size_t)((why != NULL) - (s->fault != NULL));
    free(s->fault);
    s->fault = why != NULL ? mem_strdup(why) : NULL;
}

static void note_removed(struct zonestat *z, const char *zone)
{
    struct zone_status *s = map_take(z->zones, span_str(zone));

    if (s == NULL)
        return;
    z->served -= s->soa_serial != 0;
    set_fault(z, s, NULL);
    status_free(s);
}

void zonestat_note(struct zonestat *z, const struct build_item *it, int64_t now_s)
{
    struct zone_status *s;

    if (it->news == BUILD_REMOVED) {
        note_removed(z, it->zone);
        return;
    }
    s = status_of(z, it->zone);
    if (s == NULL)
        return;
    set_fault(z, s, it->news == BUILD_REFUSED ? it->why : NULL);
    if (it->news == BUILD_REFUSED)
        return;
    z->served += s->soa_serial == 0;
    s->soa_serial = it->soa_serial;
    s->records = it->records;
    s->octets = it->octets;
    s->published_s = now_s;
}

size_t zonestat_count(const struct zonestat *z)
{
    return map_count(z->zones);
}

size_t zonestat_served(const struct zonestat *z)
{
    return z->served;
}

size_t zonestat_faulty(const struct zonestat *z)
{
    return z->faulty;
}

const struct zone_status *zonestat_get(const struct zonestat *z, struct span zone)
{
    return map_get(z->zones, zone);
}

bool zonestat_next(const struct zonestat *z, size_t *cursor, struct span *zone,
                   const struct zone_status **status)
{
    void *value;

    if (!map_next(z->zones, cursor, zone, &value))
        return false;
    *status = value;
    return true;
}
