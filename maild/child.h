/* SPDX-License-Identifier: ISC */
/* maild/child.h - one role instance as a process.
 *
 * Threads: the main thread. */
#ifndef MAILD_CHILD_H
#define MAILD_CHILD_H

/* Be this role until the parent says otherwise. The words are those of the command line,
 * which only the parent (base/io/supervise.h) writes. Returns the exit code. */
int child_run(const char *role, const char *instance);

#endif
