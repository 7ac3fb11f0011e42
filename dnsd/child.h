/* SPDX-License-Identifier: ISC */
/* dnsd/child.h - one role as a process of its own: dnsd --role NAME --instance 0.
 *
 * Threads: the main thread. */
#ifndef DNSD_CHILD_H
#define DNSD_CHILD_H

/* Live as this role until the parent says so or is gone. The exit code. */
int dnsd_child_run(const char *role);

#endif
