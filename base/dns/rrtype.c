/* SPDX-License-Identifier: ISC */
#include "base/dns/rrtype.h"

#include <stdio.h>
#include <string.h>

#include "base/core/attr.h"

/* clang-format off */
/* Sorted by number: rrtype_find() searches by halves. */
static const struct rrtype types[] = {
    /* number       name          rdata                                             defined in */
    {RR_A,          "A",          {RF_A}},                                       /* RFC 1035 3.4.1 */
    {RR_NS,         "NS",         {RF_NAME}},                                    /* RFC 1035 3.3 */
    {RR_MD,         "MD",         {RF_NAME}},
    {RR_MF,         "MF",         {RF_NAME}},
    {RR_CNAME,      "CNAME",      {RF_NAME}},
    {RR_SOA,        "SOA",        {RF_NAME, RF_NAME, RF_U32, RF_TTL, RF_TTL, RF_TTL, RF_TTL}},
    {RR_MB,         "MB",         {RF_NAME}},
    {RR_MG,         "MG",         {RF_NAME}},
    {RR_MR,         "MR",         {RF_NAME}},
    {RR_PTR,        "PTR",        {RF_NAME}},
    {RR_HINFO,      "HINFO",      {RF_STR, RF_STR}},
    {RR_MINFO,      "MINFO",      {RF_NAME, RF_NAME}},
    {RR_MX,         "MX",         {RF_U16, RF_NAME}},
    {RR_TXT,        "TXT",        {RF_STRS}},
    {RR_RP,         "RP",         {RF_NAME_PLAIN, RF_NAME_PLAIN}},               /* RFC 1183 2.2 */
    {RR_AFSDB,      "AFSDB",      {RF_U16, RF_NAME_PLAIN}},
    {RR_AAAA,       "AAAA",       {RF_AAAA}},                                    /* RFC 3596 */
    {RR_LOC,        "LOC",        {RF_LOC}},                                     /* RFC 1876 */
    {RR_SRV,        "SRV",        {RF_U16, RF_U16, RF_U16, RF_NAME_PLAIN}},      /* RFC 2782 */
    {RR_NAPTR,      "NAPTR",      {RF_U16, RF_U16, RF_STR, RF_STR, RF_STR, RF_NAME_PLAIN}},
    {RR_KX,         "KX",         {RF_U16, RF_NAME_PLAIN}},
    {RR_CERT,       "CERT",       {RF_U16, RF_U16, RF_ALGORITHM, RF_B64}},
    {RR_DNAME,      "DNAME",      {RF_NAME_PLAIN}},                              /* RFC 6672 */
    {RR_DS,         "DS",         {RF_U16, RF_ALGORITHM, RF_U8, RF_HEX}},        /* RFC 4034 5 */
    {RR_SSHFP,      "SSHFP",      {RF_U8, RF_U8, RF_HEX}},                       /* RFC 4255 */
    {RR_RRSIG,      "RRSIG",      {RF_TYPE, RF_ALGORITHM, RF_U8, RF_TTL, RF_TIME, RF_TIME,
                                   RF_U16, RF_NAME_PLAIN, RF_B64}},              /* RFC 4034 3 */
    {RR_NSEC,       "NSEC",       {RF_NAME_PLAIN, RF_BITMAP}},                   /* RFC 4034 4 */
    {RR_DNSKEY,     "DNSKEY",     {RF_U16, RF_U8, RF_ALGORITHM, RF_B64}},        /* RFC 4034 2 */
    {RR_DHCID,      "DHCID",      {RF_B64}},                                     /* RFC 4701 */
    {RR_NSEC3,      "NSEC3",      {RF_U8, RF_U8, RF_U16, RF_HEX8, RF_B32_8, RF_BITMAP}},
    {RR_NSEC3PARAM, "NSEC3PARAM", {RF_U8, RF_U8, RF_U16, RF_HEX8}},              /* RFC 5155 4 */
    {RR_TLSA,       "TLSA",       {RF_U8, RF_U8, RF_U8, RF_HEX}},                /* RFC 6698 */
    {RR_SMIMEA,     "SMIMEA",     {RF_U8, RF_U8, RF_U8, RF_HEX}},                /* RFC 8162 */
    {RR_CDS,        "CDS",        {RF_U16, RF_ALGORITHM, RF_U8, RF_HEX}},        /* RFC 7344 */
    {RR_CDNSKEY,    "CDNSKEY",    {RF_U16, RF_U8, RF_ALGORITHM, RF_B64}},
    {RR_OPENPGPKEY, "OPENPGPKEY", {RF_B64}},                                     /* RFC 7929 */
    {RR_CSYNC,      "CSYNC",      {RF_U32, RF_U16, RF_BITMAP}},                  /* RFC 7477 */
    {RR_ZONEMD,     "ZONEMD",     {RF_U32, RF_U8, RF_U8, RF_HEX}},               /* RFC 8976 */
    {RR_SVCB,       "SVCB",       {RF_U16, RF_NAME_PLAIN, RF_SVC}},              /* RFC 9460 */
    {RR_HTTPS,      "HTTPS",      {RF_U16, RF_NAME_PLAIN, RF_SVC}},
    {RR_SPF,        "SPF",        {RF_STRS}},                                    /* RFC 7208 3.1 */
    {RR_EUI48,      "EUI48",      {RF_EUI48}},                                   /* RFC 7043 */
    {RR_EUI64,      "EUI64",      {RF_EUI64}},
    {RR_URI,        "URI",        {RF_U16, RF_U16, RF_TEXT}},                    /* RFC 7553 */
    {RR_CAA,        "CAA",        {RF_U8, RF_TAG, RF_TEXT}},                     /* RFC 8659 */
};

/* Types that live in questions and messages only; they have names but no zone data. */
static const struct {
    uint16_t number;
    const char *name;
} metas[] = {
    {RR_OPT, "OPT"},   {RR_TKEY, "TKEY"},   {RR_TSIG, "TSIG"},   {RR_IXFR, "IXFR"},
    {RR_AXFR, "AXFR"}, {RR_MAILB, "MAILB"}, {RR_MAILA, "MAILA"}, {RR_ANY, "ANY"},
};

static const struct {
    uint16_t number;
    const char *name;
} classes[] = {
    {RRCLASS_IN, "IN"}, {RRCLASS_CH, "CH"}, {RRCLASS_NONE, "NONE"}, {RRCLASS_ANY, "ANY"},
};

static const char *const rcodes[] = {
    "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",  "REFUSED",
    "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE",
};
/* clang-format on */

const struct rrtype *rrtype_find(uint16_t number)
{
    size_t low = 0;
    size_t high = COUNT_OF(types);

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (types[mid].number == number)
            return &types[mid];
        if (types[mid].number < number)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

/* "TYPE15" and "CLASS1" (RFC 3597 5). */
static bool parse_numbered(struct span text, const char *prefix, uint16_t *number)
{
    size_t n = strlen(prefix);
    uint64_t value;

    if (!span_starts_nocase(text, span_of(prefix, n)) ||
        !span_to_u64(span_drop(text, n), UINT16_MAX, &value))
        return false;
    *number = (uint16_t)value;
    return true;
}

bool rrtype_parse(struct span text, uint16_t *number)
{
    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (span_eq_str_nocase(text, types[i].name)) {
            *number = types[i].number;
            return true;
        }
    for (size_t i = 0; i < COUNT_OF(metas); i++)
        if (span_eq_str_nocase(text, metas[i].name)) {
            *number = metas[i].number;
            return true;
        }
    return parse_numbered(text, "TYPE", number);
}

const char *rrtype_print(uint16_t number, char text[RRTYPE_TEXT])
{
    const struct rrtype *t = rrtype_find(number);

    if (t != NULL)
        return t->name;
    for (size_t i = 0; i < COUNT_OF(metas); i++)
        if (metas[i].number == number)
            return metas[i].name;
    (void)snprintf(text, RRTYPE_TEXT, "TYPE%u", number);
    return text;
}

bool rrtype_is_meta(uint16_t number)
{
    return number == 0 || number == RR_OPT || (number >= 128 && number <= 255);
}

bool rrclass_parse(struct span text, uint16_t *number)
{
    for (size_t i = 0; i < COUNT_OF(classes); i++)
        if (span_eq_str_nocase(text, classes[i].name)) {
            *number = classes[i].number;
            return true;
        }
    return parse_numbered(text, "CLASS", number);
}

const char *rcode_name(unsigned rcode)
{
    if (rcode < COUNT_OF(rcodes))
        return rcodes[rcode];
    return rcode == RCODE_BADVERS ? "BADVERS" : NULL;
}
