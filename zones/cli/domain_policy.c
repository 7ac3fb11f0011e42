/* SPDX-License-Identifier: ISC */
/* zones/cli/domain_policy.c - see domain_policy.h. One small function an option: it reads the
 * word, refuses what cannot be published, and sets the column. */
#include "zones/cli/domain_policy.h"

#include <string.h>

#include "deliverability/record/spf.h"
#include "zones/account.h"
#include "zones/host.h"

static const struct {
    const char *word;
    enum domain_dmarc policy;
} dmarc_words[] = {{"none", DOMAIN_DMARC_NONE},
                   {"quarantine", DOMAIN_DMARC_QUARANTINE},
                   {"reject", DOMAIN_DMARC_REJECT}};

const char *domain_policy_dmarc(enum domain_dmarc p)
{
    return dmarc_words[p].word;
}

static enum cli_exit set_dmarc(const char *word, struct domain_row *row)
{
    for (size_t i = 0; i < COUNT_OF(dmarc_words); i++) {
        if (strcmp(word, dmarc_words[i].word) == 0) {
            row->dmarc = dmarc_words[i].policy;
            return CLI_OK;
        }
    }
    return cli_say(CLI_FAULT, "--dmarc %s: say none, quarantine or reject", word);
}

static enum cli_exit set_spf(const char *word, struct domain_row *row)
{
    if (strcmp(word, "soft") != 0 && strcmp(word, "hard") != 0)
        return cli_say(CLI_FAULT, "--spf %s: say soft (~all) or hard (-all)", word);
    row->spf = word[0] == 'h' ? DOMAIN_SPF_HARD : DOMAIN_SPF_SOFT;
    return CLI_OK;
}

static enum cli_exit set_spf_extra(const char *text, struct domain_row *row)
{
    struct span rest = span_str(text), word;

    while (span_word(&rest, &word)) {
        struct spf_term t;
        struct err err = {0};

        if (spf_parse_term(word, &t, &err) != SPF_PARSE_OK)
            return cli_say(CLI_FAULT, "--spf-extra %s", err.text);
        if (t.kind == SPF_ALL || t.kind >= SPF_REDIRECT)
            return cli_say(CLI_FAULT,
                           "--spf-extra \"%.*s\": only what stands in front of "
                           "all, such as include:relay.example or ip4:192.0.2.0/24",
                           SPAN_ARG(word));
    }
    if (!span_copy(span_trim(span_str(text)), row->spf_extra, sizeof(row->spf_extra)))
        return cli_say(CLI_FAULT, "--spf-extra: more than 255 characters");
    return CLI_OK;
}

static enum cli_exit set_reports(const char *text, struct domain_row *row)
{
    struct err err = {0};
    size_t local_n;

    if (strcmp(text, "off") == 0) {
        row->rua[0] = '\0';
        return CLI_OK;
    }
    if (address_fold_remote(span_str(text), row->rua, &local_n, &err) != DOMAINDB_OK)
        return cli_say(CLI_FAULT, "--reports: %s", err.text);
    if (strpbrk(row->rua, ",!;") != NULL)
        return cli_say(CLI_FAULT,
                       "--reports %s: an address in a DMARC record cannot hold "
                       ", ! or ;",
                       text);
    return CLI_OK;
}

static enum cli_exit set_host(struct cli *c, const char *text, struct domain_row *row)
{
    char name[DOMAINDB_NAME_MAX + 1];
    const struct host_row *h;
    struct host_set set;
    struct err err = {0};
    enum cli_exit rc = CLI_OK;

    if (cli_name(text, name) == -1)
        return CLI_FAULT;
    if (host_set_load(c->db, &set, &err) == -1)
        return cli_say(CLI_FAULT, "%s", err.text);
    h = host_set_find(&set, span_str(name));
    if (h == NULL)
        rc = cli_say(CLI_NO,
                     "host %s is not known; add it first with: signpost host add "
                     "%s --address ADDR",
                     name, name);
    else if ((h->roles & HOST_MAIL) == 0)
        rc = cli_say(CLI_NO,
                     "host %s has not the role mail; give it with: signpost host "
                     "set %s --role +mail",
                     name, name);
    else
        row->host_id = h->id;
    host_set_free(&set);
    return rc;
}

static enum cli_exit set_preference(const char *text, struct domain_row *row)
{
    uint64_t v;

    if (!span_to_u64(span_str(text), UINT16_MAX, &v))
        return cli_say(CLI_FAULT, "--mx-preference %s: a number from 0 to 65535", text);
    row->mx_preference = (int)v;
    return CLI_OK;
}

static enum cli_exit set_apex(const char *text, struct domain_row *row)
{
    if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
        return cli_say(CLI_FAULT, "--apex %s: say yes or no", text);
    row->has_apex_address = text[0] == 'y';
    return CLI_OK;
}

enum cli_exit domain_policy_apply(struct cli *c, const struct cli_args *a,
                                  struct domain_row *row)
{
    static const struct {
        const char *option;
        enum cli_exit (*set)(const char *text, struct domain_row *row);
    } setters[] = {
        {"--mx-preference", set_preference}, {"--spf", set_spf},
        {"--spf-extra", set_spf_extra},      {"--dmarc", set_dmarc},
        {"--reports", set_reports},          {"--apex", set_apex},
    };
    enum cli_exit rc = CLI_OK;

    if (cli_has(a, "--host"))
        rc = set_host(c, cli_value(a, "--host"), row);
    for (size_t i = 0; i < COUNT_OF(setters) && rc == CLI_OK; i++)
        if (cli_has(a, setters[i].option))
            rc = setters[i].set(cli_value(a, setters[i].option), row);
    return rc;
}

void domain_policy_say_consent(struct cli *c, const struct domain_row *row)
{
    const char *at = strrchr(row->rua, '@');
    struct err err;

    if (at == NULL || domain_is_ours(c->db, span_str(at + 1), &err) != 0)
        return;
    cli_note(c,
             "  DMARC reports go to a domain that is not hosted here; its owner has to "
             "publish:\n      %s._report._dmarc.%s TXT \"v=DMARC1\"",
             row->name, at + 1);
}

const struct cli_option domain_policy_options[] = {
    {"--host", "HOST", "mail host (default of add: the first host with the role mail)"},
    {"--mx-preference", "N", "preference in the MX record (default 10)"},
    {"--spf", "soft|hard", "~all (default) or -all at the end of the SPF record"},
    {"--spf-extra", "TERMS",
     "more SPF terms: \"include:relay.example ip4:192.0.2.0/24\""},
    {"--dmarc", "POLICY", "none (default), quarantine or reject"},
    {"--reports", "ADDRESS",
     "where DMARC and TLS reports go (default postmaster), or off"},
    {"--apex", "yes|no",
     "A and AAAA of the mail host at the domain's own name (default no)"},
    {NULL, NULL, NULL},
};
