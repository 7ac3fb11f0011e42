/* SPDX-License-Identifier: ISC */
/* What a role is handed, from a hand that sends anything (base/io/bag.h). Input: datagrams, each
 * with its length in one octet in front; the sender then goes away. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io/bag.h"
#include "tests/fuzz/fuzz.h"

#define ITEMS_MAX 30

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const names[] = {"role", "listen", "conf", ""};
    struct span in = span_of(data, n);
    struct err err = {0};
    struct bag b;
    size_t sent = 0, found = 0;
    int fds[2], rc;

    LAW(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0, "a pair");
    for (; in.n > 0 && sent < ITEMS_MAX; sent++) {
        struct span item = fuzz_field(&in);

        if (send(fds[1], item.p, item.n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            break;
    }
    (void)close(fds[1]);
    bag_init(&b);
    rc = bag_receive(&b, fds[0], &err);
    LAW(rc == 0 || (err.text[0] != '\0' && strchr(err.text, '\n') == NULL),
        "a refusal is a line that says why");
    LAW(b.n <= sent, "an item is a datagram");
    for (size_t k = 0; k < COUNT_OF(names); k++)
        for (size_t i = 0; i < bag_count(&b, names[k]); i++, found++) {
            struct span text = bag_text(&b, names[k], i);

            LAW(text.n <= BAG_TEXT_MAX && text.p[text.n] == 0, "a text has its bound");
            LAW(bag_fd(&b, names[k], i) == -1, "no descriptor was sent");
        }
    LAW(found <= b.n, "items are counted once");
    bag_free(&b);
    (void)close(fds[0]);
    return 0;
}
