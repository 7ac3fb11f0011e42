/* SPDX-License-Identifier: ISC */
/* checker/catalogue.c - every check, one row each.
 *
 * Ids never change meaning. Severity is that of a failure; a check that could not be made
 * is reported as untested whatever its severity. */
#include "checker/finding.h"

/* clang-format off */
static const struct check_info catalogue[] = {
    /* What our own database says, against what the world sees. */
    {"DB-001", SEVERITY_ERROR, "every published record is what the database says",
     "Receivers act on what the DNS says, not on what the database means.", "design.md 5"},
    {"DB-002", SEVERITY_ERROR, "the parent zone delegates the domain to our name servers",
     "Until the parent delegates here, nobody asks our name server.", "RFC 1034 4.2.2"},

    {"DL-001", SEVERITY_CRITICAL, "the domain exists",
     "A domain without an answer can neither send nor receive.", "RFC 1034 4.3.2"},

    /* Where mail goes. */
    {"MX-001", SEVERITY_WARNING, "the domain has an MX, or says on purpose that it takes no mail",
     "Without an MX senders fall back to the address of the domain itself, if there is one.", "RFC 5321 5.1"},
    {"MX-002", SEVERITY_CRITICAL, "each MX host has an address",
     "A host without an address cannot be connected to; mail waits and then bounces.", "RFC 5321 5.1"},
    {"MX-003", SEVERITY_ERROR, "no MX host is an alias",
     "Some senders refuse an MX that points at a CNAME.", "RFC 2181 10.3"},
    {"MX-007", SEVERITY_ERROR, "no MX host has a private address",
     "Nobody outside can reach a private address.", "RFC 6890"},
    {"MX-021", SEVERITY_WARNING, "each MX address has a reverse name that leads back to it",
     "Large receivers distrust hosts whose reverse name does not match.", "RFC 8601 2.7.3"},

    /* Who may send. */
    {"SP-001", SEVERITY_ERROR, "an SPF record exists",
     "Large receivers refuse or file as spam what comes without SPF or DKIM.", "RFC 7208 3"},
    {"SP-002", SEVERITY_CRITICAL, "there is exactly one SPF record",
     "Two records are a permanent error: SPF fails for every message.", "RFC 7208 4.5"},
    {"SP-003", SEVERITY_CRITICAL, "the SPF record is well formed",
     "A syntax error makes SPF fail for every message.", "RFC 7208 4.6.1"},
    {"SP-004", SEVERITY_CRITICAL, "SPF needs at most ten DNS look-ups",
     "The eleventh look-up is a permanent error.", "RFC 7208 4.6.4"},
    {"SP-009", SEVERITY_CRITICAL, "SPF does not allow everyone",
     "+all lets anybody send as this domain.", "RFC 7208 5.1"},
    {"SP-010", SEVERITY_WARNING, "SPF ends in a statement about everyone else",
     "Without all or redirect the result for strangers is neutral: no protection.", "RFC 7208 5.1"},

    /* Who signed. */
    {"DK-001", SEVERITY_CRITICAL, "the DKIM key of each selector is published",
     "Signatures made with a key that is not published fail.", "RFC 6376 3.6.2"},
    {"DK-003", SEVERITY_ERROR, "each DKIM record is well formed",
     "A record that cannot be parsed makes every signature fail.", "RFC 6376 3.6.1"},
    {"DK-005", SEVERITY_CRITICAL, "no DKIM key in use is revoked",
     "An empty p= says that the key is revoked: its signatures fail.", "RFC 6376 3.6.1"},

    /* What to do with forgeries. */
    {"DM-001", SEVERITY_ERROR, "a DMARC record exists",
     "Large receivers require one from bulk senders, and without it forged mail is not refused.", "RFC 7489 6.6.3"},
    {"DM-002", SEVERITY_CRITICAL, "there is exactly one DMARC record",
     "With two records receivers apply none.", "RFC 7489 6.6.3"},
    {"DM-003", SEVERITY_ERROR, "the DMARC record is well formed",
     "A record that cannot be parsed is ignored.", "RFC 7489 6.3"},
    {"DM-004", SEVERITY_NOTICE, "DMARC asks receivers to act",
     "p=none only watches: forged mail is still delivered.", "RFC 7489 6.3"},
    {"DM-009", SEVERITY_WARNING, "DMARC reports go somewhere",
     "Without rua nobody tells you that your mail fails or that you are forged.", "RFC 7489 6.2"},
    {"TR-001", SEVERITY_NOTICE, "TLS reports are asked for",
     "Without it nobody tells you that others cannot deliver to you over TLS.", "RFC 8460 3"},

    /* Who we are. */
    {"RV-001", SEVERITY_CRITICAL, "the address has a reverse name",
     "Many receivers refuse mail from an address without a PTR record.", "RFC 1912 2.1"},
    {"RV-003", SEVERITY_CRITICAL, "the reverse name leads back to the address",
     "A reverse name that is not confirmed is no identity.", "RFC 8601 2.7.3"},
    {"RV-004", SEVERITY_WARNING, "there is one reverse name",
     "With several, receivers pick any, and it may be the wrong one.", "RFC 2181 10.2"},
    {"RV-005", SEVERITY_ERROR, "the reverse name is not generic",
     "Names made of the address or of words like dyn and pool look like a home connection.", "RFC 1912 2.1"},

    /* What others think of us. */
    {"BL-001", SEVERITY_CRITICAL, "not on a block list that many receivers use",
     "Listed senders are refused or filed as spam.", "RFC 5782 2.1"},
    {"BL-002", SEVERITY_WARNING, "not on a block list that some receivers use",
     "Some receivers will refuse or score the mail.", "RFC 5782 2.1"},
    {"BL-003", SEVERITY_INFO, "the block list is alive and answers us",
     "A list that fails its own test entries says nothing about you.", "RFC 5782 5"},
};
/* clang-format on */

const struct check_info *check_row(size_t i)
{
    return i < COUNT_OF(catalogue) ? &catalogue[i] : NULL;
}
