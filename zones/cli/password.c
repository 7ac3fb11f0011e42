/* SPDX-License-Identifier: ISC */
#include "zones/cli/password.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/core/utf8.h"

enum { SHORTEST = 8, MADE_UP = 20 };

/* Octet by octet, so that nothing behind the line end is taken from a pipe. */
static int read_line(int fd, char out[PASSWORD_MAX + 1], struct err *err)
{
    size_t n = 0;
    char ch;

    for (;;) {
        ssize_t got = read(fd, &ch, 1);

        if (got == -1)
            return err_sys(err, "read the password");
        if (got == 0 || ch == '\n')
            break;
        if (n == PASSWORD_MAX)
            return err_set(err, "the password is longer than %d octets", PASSWORD_MAX);
        out[n++] = ch;
    }
    if (n > 0 && out[n - 1] == '\r')
        n--;
    out[n] = '\0';
    return 0;
}

/* Length counts against guessing; rules about digits and signs do not (NIST SP 800-63B). */
static int check(const char *password, struct err *err)
{
    size_t n = strlen(password);

    if (n < SHORTEST)
        return err_set(err, "the password has %zu characters; it needs at least %d", n,
                       SHORTEST);
    if (!utf8_is_text(span_str(password)))
        return err_set(err, "the password holds control characters or is not UTF-8, so "
                            "mail programs could not "
                            "send it");
    return 0;
}

int password_from_stdin(char out[PASSWORD_MAX + 1], struct err *err)
{
    return read_line(STDIN_FILENO, out, err) == -1 ? -1 : check(out, err);
}

static int ask(int tty, const char *prompt, char out[PASSWORD_MAX + 1], struct err *err)
{
    struct termios before, silent;
    bool is_tty = tcgetattr(tty, &before) == 0;
    int rc;

    if (is_tty) {
        silent = before;
        silent.c_lflag &= ~(tcflag_t)ECHO;
        (void)tcsetattr(tty, TCSAFLUSH, &silent);
    }
    (void)dprintf(tty, "%s", prompt);
    rc = read_line(tty, out, err);
    if (is_tty)
        (void)tcsetattr(tty, TCSAFLUSH, &before);
    (void)dprintf(tty, "\n");
    return rc;
}

int password_from_terminal(const char *login, char out[PASSWORD_MAX + 1], struct err *err)
{
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    char again[PASSWORD_MAX + 1], prompt[400];
    int rc = -1;

    if (tty == -1)
        return err_set(err, "there is no terminal to ask for a password; give it on "
                            "standard input with --password-stdin, or use --generate");
    (void)snprintf(prompt, sizeof(prompt), "password for %s: ", login);
    if (ask(tty, prompt, out, err) == -1 || check(out, err) == -1 ||
        ask(tty, "the same again: ", again, err) == -1)
        goto out;
    if (strcmp(out, again) != 0)
        (void)err_set(err, "the two passwords differ");
    else
        rc = 0;
out:
    OPENSSL_cleanse(again, sizeof(again));
    (void)close(tty);
    return rc;
}

void password_make_up(struct rng *rng, char out[PASSWORD_MAX + 1])
{
    static const char chars[] = "abcdefghijkmnpqrstuvwxyz23456789";
    size_t at = 0;

    for (size_t i = 0; i < MADE_UP; i++) {
        if (i > 0 && i % 5 == 0)
            out[at++] = '-';
        out[at++] = chars[rng_below(rng, sizeof(chars) - 1)];
    }
    out[at] = '\0';
}
