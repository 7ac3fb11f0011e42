/* SPDX-License-Identifier: ISC */
/* base/dns/rrtype.h - record types: number, mnemonic, and what their rdata is made of.
 *
 * Why:       one table row holds all that parser, printer, decompressor and compiler need to
 *            know of a type; a new type is a new row.
 * Threads:   constant tables.
 * Pure:      no I/O, no clock, no globals.
 *
 * Types not in the table work by number: TYPEnnn and \# rdata (RFC 3597). */
#ifndef BASE_DNS_RRTYPE_H
#define BASE_DNS_RRTYPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/span.h"

enum rrtype_number {
    RR_A = 1,
    RR_NS = 2,
    RR_MD = 3,
    RR_MF = 4,
    RR_CNAME = 5,
    RR_SOA = 6,
    RR_MB = 7,
    RR_MG = 8,
    RR_MR = 9,
    RR_PTR = 12,
    RR_HINFO = 13,
    RR_MINFO = 14,
    RR_MX = 15,
    RR_TXT = 16,
    RR_RP = 17,
    RR_AFSDB = 18,
    RR_AAAA = 28,
    RR_LOC = 29,
    RR_SRV = 33,
    RR_NAPTR = 35,
    RR_KX = 36,
    RR_CERT = 37,
    RR_DNAME = 39,
    RR_OPT = 41,
    RR_DS = 43,
    RR_SSHFP = 44,
    RR_RRSIG = 46,
    RR_NSEC = 47,
    RR_DNSKEY = 48,
    RR_DHCID = 49,
    RR_NSEC3 = 50,
    RR_NSEC3PARAM = 51,
    RR_TLSA = 52,
    RR_SMIMEA = 53,
    RR_CDS = 59,
    RR_CDNSKEY = 60,
    RR_OPENPGPKEY = 61,
    RR_CSYNC = 62,
    RR_ZONEMD = 63,
    RR_SVCB = 64,
    RR_HTTPS = 65,
    RR_SPF = 99,
    RR_EUI48 = 108,
    RR_EUI64 = 109,
    RR_TKEY = 249,
    RR_TSIG = 250,
    RR_IXFR = 251,
    RR_AXFR = 252,
    RR_MAILB = 253,
    RR_MAILA = 254,
    RR_ANY = 255,
    RR_URI = 256,
    RR_CAA = 257,
};

enum rrclass { RRCLASS_IN = 1, RRCLASS_CH = 3, RRCLASS_NONE = 254, RRCLASS_ANY = 255 };

/* One field of rdata. Kinds from RF_TEXT on take all that is left. */
enum rdata_field {
    RF_END = 0,
    RF_U8,
    RF_U16,
    RF_U32,
    RF_TTL,       /* 32 bits, "1h30m" accepted */
    RF_TIME,      /* 32 bits, YYYYMMDDHHMMSS or seconds (RFC 4034 3.2) */
    RF_ALGORITHM, /* 8 bits, DNSSEC mnemonics accepted */
    RF_TYPE,      /* 16 bits, a type mnemonic */
    RF_A,
    RF_AAAA,
    RF_NAME,       /* name that may be compressed: only RFC 1035 types (RFC 3597 4) */
    RF_NAME_PLAIN, /* name that must not be compressed */
    RF_STR,        /* one <character-string> */
    RF_TAG,        /* character-string written bare: letters and digits (CAA) */
    RF_HEX8,       /* length octet and hex, "-" when empty (NSEC3 salt) */
    RF_B32_8,      /* length octet and base32hex (NSEC3 next owner) */
    RF_EUI48,
    RF_EUI64,
    RF_TEXT,   /* the rest as one quoted text without a length (CAA, URI) */
    RF_STRS,   /* one or more <character-string>s */
    RF_HEX,    /* hex, blanks allowed */
    RF_B64,    /* base64, blanks allowed */
    RF_BITMAP, /* type bitmap (RFC 4034 4.1.2) */
    RF_LOC,    /* RFC 1876: all 16 octets */
    RF_SVC,    /* SvcParams (RFC 9460 2.1) */
};

#define RRTYPE_FIELDS 9

struct rrtype {
    uint16_t number;
    const char *name;
    uint8_t fields[RRTYPE_FIELDS]; /* enum rdata_field, RF_END-padded */
};

/* The row of a type, or NULL when the table does not know it. */
const struct rrtype *rrtype_find(uint16_t number);
/* "MX", "mx", "TYPE15"; false when neither. */
bool rrtype_parse(struct span text, uint16_t *number);
#define RRTYPE_TEXT 16
/* "MX" or "TYPE65280". */
const char *rrtype_print(uint16_t number, char text[RRTYPE_TEXT]);
/* Types of questions and messages, never of zone data: OPT, TSIG, 128-255, ... (RFC 6895 3.1). */
bool rrtype_is_meta(uint16_t number);
bool rrclass_parse(struct span text, uint16_t *number); /* "IN", "CH", "CLASS1" */
/* "NOERROR", "NXDOMAIN", ... ; "RCODE17" style for others is the caller's. NULL: unknown. */
const char *rcode_name(unsigned rcode);

enum rcode {
    RCODE_NOERROR = 0,
    RCODE_FORMERR = 1,
    RCODE_SERVFAIL = 2,
    RCODE_NXDOMAIN = 3,
    RCODE_NOTIMP = 4,
    RCODE_REFUSED = 5,
    RCODE_YXDOMAIN = 6,
    RCODE_NOTAUTH = 9,
    RCODE_BADVERS = 16, /* needs EDNS: upper bits in the OPT */
};

#endif
