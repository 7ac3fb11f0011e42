/* SPDX-License-Identifier: ISC */
/* AUTH exchanges line by line (maild/smtp/sasl.h), and password hashes as text
 * (base/crypto/pwhash.h). Input: lines; the first is "MECHANISM" or "MECHANISM initial". */
#include <stdlib.h>
#include <string.h>

#include "base/crypto/pwhash.h"
#include "maild/smtp/sasl.h"
#include "tests/fuzz/fuzz.h"

/* Costs that a fuzzer has time for; text that asks for more is only to be refused or taken. */
static bool is_cheap(struct span text)
{
    return span_find(text, SPAN_LIT("ln=1,r=1,p=1$")) >= 0 ||
           span_find(text, SPAN_LIT("ln=")) == -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span in = span_of(data, n), line = fuzz_line(&in), mech, initial;
    bool has_initial = span_cut(line, ' ', &mech, &initial);
    struct span heap = fuzz_heap(initial);
    struct sasl s = {.step = SASL_IDLE};
    enum sasl_result r = sasl_begin(&s, mech, has_initial, heap);
    unsigned rounds = 0;

    fuzz_heap_free(heap);
    for (; r == SASL_CHALLENGE; rounds++) {
        LAW(rounds < 3, "an exchange ends");
        LAW(fuzz_is_plain(span_str(sasl_challenge(&s))), "a challenge is plain text");
        heap = fuzz_heap(fuzz_line(&in));
        r = sasl_line(&s, heap);
        fuzz_heap_free(heap);
    }
    if (r == SASL_DONE) {
        LAW(s.login[0] != '\0' && s.password[0] != '\0', "a login has both its parts");
        LAW(strlen(s.login) <= SASL_LOGIN_MAX &&
                strlen(s.password) <= SASL_PASSWORD_MAX &&
                strpbrk(s.login, "\r\n") == NULL,
            "they are bounded, and a login is one line");
    }
    sasl_clear(&s);
    for (size_t i = 0; i < sizeof(s.password); i++)
        LAW(s.password[i] == 0, "a password does not outlive its use");
    if (n <= PWHASH_MAX && is_cheap(span_of(data, n))) {
        char *text = span_dup(span_of(data, n));

        (void)pwhash_check(SPAN_LIT("secret"), text);
        free(text);
    }
    return 0;
}
