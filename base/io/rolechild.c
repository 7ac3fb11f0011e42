/* SPDX-License-Identifier: ISC */
#include "base/io/rolechild.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/io/fdpass.h"

#define WORDS_A_TURN 64

struct rolechild {
    struct loop *loop;
    struct loop_io *io;
    struct rolechild_handlers h;
    void *ctx;
};

int rolechild_boot(struct bag *bag, struct err *err)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};

    for (size_t i = 0; i < COUNT_OF(signals); i++)
        (void)signal(signals[i], SIG_IGN);
    if (bag_receive(bag, ROLECHILD_FD, err) == -1)
        return -1;
    if (fcntl(ROLECHILD_FD, F_SETFD, FD_CLOEXEC) == -1 ||
        fcntl(ROLECHILD_FD, F_SETFL, O_NONBLOCK) == -1)
        return err_sys(err, "the line to the parent");
    return 0;
}

static void end(struct rolechild *rc)
{
    loop_io_free(&rc->io);
    rc->h.end(rc->ctx);
}

/* What the parent cannot have said is dropped: it is trusted, but a bug of it shall not
 * become ours. */
static void obey(struct rolechild *rc, const uint8_t *word, size_t n, int fd)
{
    if (n == 3 && word[0] == ROLECHILD_PLUG && fd != -1)
        rc->h.plug(rc->ctx, word[1], word[2], fd);
    else if (fd != -1)
        (void)close(fd);
    if (n == 1 && word[0] == ROLECHILD_END)
        end(rc);
}

static void on_line(void *ctx, unsigned what)
{
    struct rolechild *rc = ctx;
    uint8_t word[16];

    (void)what;
    for (int i = 0; i < WORDS_A_TURN && rc->io != NULL; i++) {
        int fd;
        ssize_t n = fdpass_receive(ROLECHILD_FD, word, sizeof(word), &fd);

        if (n == -1 && errno == EAGAIN)
            return;
        if (n <= 0)
            end(rc);
        else
            obey(rc, word, (size_t)n, fd);
    }
}

struct rolechild *rolechild_new(struct loop *l, const struct rolechild_handlers *h,
                                void *ctx)
{
    struct rolechild *rc = mem_new(1, sizeof(*rc));

    rc->loop = l;
    rc->h = *h;
    rc->ctx = ctx;
    rc->io = loop_io_new(l, ROLECHILD_FD, "rolechild", on_line, rc);
    loop_io_watch(rc->io, LOOP_READ);
    return rc;
}

void rolechild_free(struct rolechild **rcp)
{
    struct rolechild *rc = *rcp;

    if (rc == NULL)
        return;
    *rcp = NULL;
    loop_io_free(&rc->io);
    free(rc);
}

/* The line holds some hundred words and the parent always reads; what does not go is seen
 * by the parent as an instance that never got ready. */
static void say(const void *word, size_t n)
{
    int rc = fdpass_send(ROLECHILD_FD, span_of(word, n), -1);

    (void)rc;
}

void rolechild_ready(struct rolechild *rc)
{
    (void)rc;
    say(&(uint8_t){ROLECHILD_READY}, 1);
}

void rolechild_fail(const char *why)
{
    uint8_t word[1 + ERR_TEXT_MAX];
    size_t n = strlen(why);

    n = n < ERR_TEXT_MAX ? n : ERR_TEXT_MAX;
    word[0] = ROLECHILD_FAILED;
    memcpy(word + 1, why, n);
    say(word, n + 1);
}

void rolechild_breach(struct rolechild *rc, uint8_t role, unsigned instance)
{
    const uint8_t word[] = {ROLECHILD_BREACH, role, (uint8_t)instance};

    (void)rc;
    say(word, sizeof(word));
}
