/* SPDX-License-Identifier: ISC */
/* base/io/sandbox.h - a process gives up, for good, all that its work does not need.
 *
 * Why:       the one that reads hostile octets must own nothing worth stealing, also when
 *            it is no longer our code that runs in it.
 * Ownership: nothing is kept; descriptors that are open stay open.
 * Threads:   call sandbox_enter() before threads are made; the filter would cover them, the
 *            change of user covers them too.
 *
 * What a role may call is written down by groups in sandbox_calls.def. A call that no group
 * of the role allows ends the whole process with SIGSYS; before that one line with the name
 * of the call goes to descriptor 2. */
#ifndef BASE_IO_SANDBOX_H
#define BASE_IO_SANDBOX_H

#include <stdint.h>
#include <sys/resource.h>

#include "base/conf/conf.h"
#include "base/core/attr.h"
#include "base/core/err.h"

enum sandbox_level {
    SANDBOX_OFF,     /* nothing is done */
    SANDBOX_SECCOMP, /* limits and filter; same user, same root */
    SANDBOX_FULL     /* all; needs root */
};

/* Groups of system calls. Every role has SANDBOX_BASE. */
enum {
    SANDBOX_BASE = 1 << 0,    /* memory, time, descriptors and sockets it has, the loop */
    SANDBOX_THREADS = 1 << 1, /* pools, libunbound */
    SANDBOX_ACCEPT = 1 << 2,  /* clients of listening sockets that were passed */
    SANDBOX_PAIR = 1 << 3,    /* socketpair(AF_UNIX) */
    SANDBOX_CONNECT = 1 << 4, /* TCP to other hosts */
    SANDBOX_UDP = 1 << 5,     /* UDP sockets of its own */
    SANDBOX_DATAGRAMS = 1 << 6, /* recvmmsg and sendmmsg on sockets that were passed */
    SANDBOX_MEMFD = 1 << 7,     /* makes sealed memory files */
    SANDBOX_READ = 1 << 8,      /* opens files for reading */
    SANDBOX_DATABASE = 1 << 9, /* reads SQLite databases (which opens -shm for writing) */
    SANDBOX_FILES = 1 << 10    /* makes, changes, removes files; writes databases */
};

enum sandbox_root {
    SANDBOX_HERE,  /* stays */
    SANDBOX_DATA,  /* data_dir is its "/" */
    SANDBOX_EMPTY, /* a folder without a name: nothing is in it and nothing can be made */
};

#define SANDBOX_ANY_SIZE UINT64_MAX

struct sandbox_limits {
    uint64_t memory_octets; /* private memory that can be written, stacks of threads
                               included; 0: as inherited */
    uint64_t file_octets; /* end of the longest file it can write; 0: files it was passed
                               cannot grow; SANDBOX_ANY_SIZE: no limit */
    unsigned files;       /* open descriptors; 0: as inherited */
    unsigned tasks;       /* threads of all processes of this user (SANDBOX_FULL only,
                               since otherwise the user is a person); 0: as inherited */
};

/* What one role is left with. A constant of the role table. */
struct sandbox {
    const char *user; /* "_signpost-edge"; NULL: stay who we are */
    enum sandbox_root root;
    unsigned calls; /* SANDBOX_..., SANDBOX_BASE is understood */
    struct sandbox_limits limits;
};

/* Where this host has its folders. */
struct sandbox_host {
    enum sandbox_level level;
    const char *data_dir; /* for SANDBOX_DATA */
    const char
        *run_dir; /* for SANDBOX_EMPTY: a folder is made there and removed at once */
};

/* `word` is the value of the configuration key privsep: auto, full, seccomp, off. auto is
 * full for root, seccomp otherwise; a build with a sanitizer is always off, because its
 * runtime makes calls of its own. -1 with *err when full cannot be: who is not root. */
MUST_USE int sandbox_level_pick(const char *word, enum sandbox_level *level,
                                struct err *err);
/* "off", "seccomp", "full". */
const char *sandbox_level_name(enum sandbox_level level);

/* All three from the configuration; the texts are the configuration's. */
MUST_USE int sandbox_host_of(const struct conf *c, struct sandbox_host *h,
                             struct err *err);

/* Enter. Does, in this order: what libraries read from files at their first use; resource
 * limits, no core dumps; user looked up; root; groups and user, with proof that there is no
 * way back; no new privileges; no tracing by others of the same user; filter for all
 * threads. 0, or -1 with *err that names user and remedy: the process must end then. */
MUST_USE int sandbox_enter(const struct sandbox *s, const struct sandbox_host *h,
                           struct err *err);

/* base/io/sandbox_filter.c: the last step of sandbox_enter() alone. */
MUST_USE int sandbox_filter(unsigned calls, struct err *err);

#endif
