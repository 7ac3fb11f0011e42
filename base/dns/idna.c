/* SPDX-License-Identifier: ISC */
/* base/dns/idna.c - see idna.h.
 *
 * libidn2 is asked label by label, so that a message can name the label that is wrong and so
 * that labels which are not host name labels ("_dmarc", "*") pass untouched. */
#include "base/dns/idna.h"

#include <stdlib.h>
#include <string.h>

#include <idn2.h>

#define LABEL_MAX 63

static bool is_ascii(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] >= 0x80)
            return false;
    return true;
}

/* ASCII labels are kept as they are, lower-cased; "xn--" ones must decode. */
static int ascii_label(struct span label, char out[LABEL_MAX + 1], struct err *err)
{
    for (size_t i = 0; i < label.n; i++) {
        uint8_t c = label.p[i];

        if (!ascii_is_alnum(c) && c != '-' && c != '_' && !(c == '*' && label.n == 1))
            return err_set(err,
                           "\"%.*s\" holds a character that names of hosts and domains "
                           "cannot have",
                           SPAN_ARG(label));
    }
    if (label.p[0] == '-' || label.p[label.n - 1] == '-')
        return err_set(err, "\"%.*s\" begins or ends with a hyphen", SPAN_ARG(label));
    for (size_t i = 0; i < label.n; i++)
        out[i] = (char)ascii_lower(label.p[i]);
    out[label.n] = '\0';
    if (span_starts_nocase(label, SPAN_LIT("xn--"))) {
        char *u = NULL;
        int rc = idn2_to_unicode_8z8z(out, &u, 0);

        idn2_free(u);
        if (rc != IDN2_OK)
            return err_set(err, "\"%s\" is not a valid A-label: %s", out,
                           idn2_strerror(rc));
    }
    return 0;
}

static int unicode_label(struct span label, char out[LABEL_MAX + 1], struct err *err)
{
    char *in = span_dup(label), *a = NULL;
    /* Non-transitional: sharp s and the joiners keep their meaning (IDNA 2008). */
    int rc = idn2_to_ascii_8z(in, &a, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);

    if (rc != IDN2_OK || strlen(a) > LABEL_MAX) {
        (void)err_set(err, "\"%s\" cannot be a label of a name: %s", in,
                      rc != IDN2_OK ? idn2_strerror(rc) : "too long");
        rc = -1;
    } else if (a[0] == '\0') {
        rc = err_set(err, "\"%s\" has only characters that names leave out", in);
    } else {
        /* What it was mapped to is judged again: a full-width "*" has become an ASCII one, a
         * dot leader a dot. */
        rc = ascii_label(span_str(a), out, err);
    }
    idn2_free(a);
    free(in);
    return rc;
}

/* The full stops of East Asian input methods count as dots (RFC 3490 3.1, UTS 46). */
static size_t dot_octets(struct span s)
{
    if (s.n >= 1 && s.p[0] == '.')
        return 1;
    if (s.n >= 3 &&
        (memcmp(s.p, "\xe3\x80\x82", 3) == 0 || memcmp(s.p, "\xef\xbc\x8e", 3) == 0 ||
         memcmp(s.p, "\xef\xbd\xa1", 3) == 0))
        return 3;
    return 0;
}

static size_t label_octets(struct span s)
{
    size_t n = 0;

    while (n < s.n && dot_octets(span_drop(s, n)) == 0)
        n++;
    return n;
}

int idna_to_ascii(struct span text, char out[IDNA_NAME_MAX + 1], struct err *err)
{
    struct span rest = text;
    size_t used = 0;

    if (text.n == 0)
        return err_set(err, "a name is missing");
    if (text.n > 1000 || memchr(text.p, 0, text.n) != NULL)
        return err_set(err, "this is not a name");
    while (rest.n > 0) {
        size_t n = label_octets(rest);
        struct span label = span_take(rest, n);
        char one[LABEL_MAX + 1];
        int rc;

        rest = span_drop(rest, n);
        rest = span_drop(rest, dot_octets(rest));
        if (n == 0)
            return err_set(err,
                           "\"%.*s\" has an empty label (two dots, or a dot in front)",
                           SPAN_ARG(text));
        if (is_ascii(label) && n > LABEL_MAX)
            return err_set(err, "\"%.*s\" is longer than %d characters", SPAN_ARG(label),
                           LABEL_MAX);
        rc = is_ascii(label) ? ascii_label(label, one, err)
                             : unicode_label(label, one, err);
        if (rc == -1)
            return -1;
        n = strlen(one);
        if (n + (used > 0) > IDNA_NAME_MAX - used)
            return err_set(err, "the name is longer than %d characters", IDNA_NAME_MAX);
        if (used > 0)
            out[used++] = '.';
        memcpy(out + used, one, n);
        used += n;
    }
    out[used] = '\0';
    return 0;
}

void idna_to_display(const char *name, char out[IDNA_DISPLAY_MAX + 1])
{
    char *u = NULL;

    if (strstr(name, "xn--") == NULL || idn2_to_unicode_8z8z(name, &u, 0) != IDN2_OK ||
        strlen(u) > IDNA_DISPLAY_MAX || strchr(u, '\n') != NULL) {
        size_t n = strnlen(name, IDNA_DISPLAY_MAX);

        memcpy(out, name, n);
        out[n] = '\0';
    } else {
        memcpy(out, u, strlen(u) + 1);
    }
    idn2_free(u);
}
