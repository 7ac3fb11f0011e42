/* SPDX-License-Identifier: ISC */
/* A session's view of the mailbox it selected: which message has which sequence number.
 *
 * The folder in memory changes under all its sessions; a client must be told in order and
 * only where RFC 3501 7.4.1 allows. So each session keeps the UIDs it was told of, and
 * client_sync() tells the difference: removals, arrivals, flags. Arrivals carry higher UIDs
 * than everything before, so both lists are walked side by side. */
#include <stdlib.h>

#include "base/core/mem.h"
#include "maild/imap/search.h"
#include "maild/mailbox/mailbox_int.h"

static void view_add(struct client *c, uint32_t uid, bool is_recent)
{
    if (c->n_view == c->cap_view) {
        c->cap_view = c->cap_view < 64 ? 64 : c->cap_view + c->cap_view / 2;
        c->view = mem_resize(c->view, c->cap_view, sizeof(*c->view));
    }
    c->view[c->n_view++] = (struct view){uid, is_recent};
}

/* Take up what arrived since; true when there was something. */
static bool view_extend(struct client *c)
{
    struct folder *f = c->folder;
    size_t at = f->n, old = c->n_view;
    uint32_t last = c->n_view > 0 ? c->view[c->n_view - 1].uid : 0;

    while (at > 0 && f->msgs[at - 1].uid > last)
        at--;
    for (; at < f->n; at++)
        view_add(c, f->msgs[at].uid, f->msgs[at].uid >= f->recent_uid);
    if (c->n_view > old && !c->is_readonly)
        folder_set_recent(f, c->view[c->n_view - 1].uid + 1);
    return c->n_view > old;
}

void client_select(struct client *c, struct folder *f, bool is_readonly)
{
    c->folder = f;
    c->is_readonly = is_readonly;
    c->n_view = 0;
    list_add_tail(&f->viewers, &c->viewer);
    (void)view_extend(c);
    c->seen_clock = f->clock;
    c->seen_expunges = f->expunges;
    imap_session_set_state(&c->proto, IMAP_STATE_SELECTED);
}

void client_unselect(struct client *c)
{
    struct folder *f = c->folder;

    if (f == NULL)
        return;
    c->folder = NULL;
    c->n_view = 0;
    list_remove(&c->viewer);
    imap_session_set_state(&c->proto, IMAP_STATE_AUTH);
    folder_release(f);
}

static void sync_expunges(struct client *c, struct imap_out *o)
{
    size_t to = 0, at = 0;

    if (c->seen_expunges == c->folder->expunges)
        return;
    c->seen_expunges = c->folder->expunges;
    for (size_t i = 0; i < c->n_view; i++) {
        while (at < c->folder->n && c->folder->msgs[at].uid < c->view[i].uid)
            at++;
        if (at < c->folder->n && c->folder->msgs[at].uid == c->view[i].uid)
            c->view[to++] = c->view[i];
        else
            imap_putf(o, "* %zu EXPUNGE\r\n", to + 1);
    }
    c->n_view = to;
}

static void sync_flags(struct client *c, struct imap_out *o)
{
    struct folder *f = c->folder;
    size_t at = 0;

    if (c->seen_clock == f->clock)
        return;
    for (size_t i = 0; i < c->n_view; i++) {
        while (at < f->n && f->msgs[at].uid < c->view[i].uid)
            at++;
        if (at == f->n)
            break;
        if (f->msgs[at].uid != c->view[i].uid || f->msgs[at].stamp <= c->seen_clock)
            continue;
        imap_putf(o, "* %zu FETCH (UID %u FLAGS ", i + 1, c->view[i].uid);
        imap_put_flags(o,
                       f->msgs[at].flags | (c->view[i].is_recent ? IMAP_FLAG_RECENT : 0),
                       account_names(c->account), IMAP_KEYWORDS_MAX);
        imap_put(o, ")\r\n");
    }
    c->seen_clock = f->clock;
}

void client_sync(struct client *c, bool may_expunge)
{
    struct imap_out o = client_out(c);
    size_t recent = 0;

    if (c->folder == NULL || c->conn == NULL)
        return;
    if (may_expunge)
        sync_expunges(c, &o);
    if (view_extend(c)) {
        for (size_t i = 0; i < c->n_view; i++)
            recent += c->view[i].is_recent;
        imap_putf(&o, "* %zu EXISTS\r\n* %zu RECENT\r\n", c->n_view, recent);
    }
    sync_flags(c, &o);
    c->is_broken = c->is_broken || o.is_full; /* news cannot be left out */
}

bool client_set_has(const struct client *c, size_t i)
{
    const struct imap_cmd *cmd = &c->proto.cmd;

    if (cmd->is_uid)
        return imap_set_has(&cmd->set, c->view[i].uid, client_max_uid(c));
    return imap_set_has(&cmd->set, (uint32_t)i + 1, (uint32_t)c->n_view);
}

/* First place in the view whose UID is not below `uid`. */
static size_t place_of(const struct client *c, uint32_t uid)
{
    size_t lo = 0, hi = c->n_view;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (c->view[mid].uid < uid)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

size_t client_set_next(const struct client *c, size_t i)
{
    const struct imap_cmd *cmd = &c->proto.cmd;

    while (i < c->n_view && !client_set_has(c, i)) {
        uint32_t n = cmd->is_uid ? c->view[i].uid : (uint32_t)i + 1;
        uint32_t next = imap_set_after(&cmd->set, n);
        size_t to = next == 0 ? c->n_view : cmd->is_uid ? place_of(c, next) : next - 1;

        if (to >= c->n_view)
            to = c->n_view - 1; /* which "*", and "7:*" where there are less, means */
        i = to > i ? to : i + 1;
    }
    return i < c->n_view ? i : c->n_view;
}

uint32_t client_max_uid(const struct client *c)
{
    return c->n_view > 0 ? c->view[c->n_view - 1].uid : 0;
}
