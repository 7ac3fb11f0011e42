/* SPDX-License-Identifier: ISC */
/* maild/smtp/line.h - one command line from the front of what came in.
 *
 * Why:       only CRLF ends a line (RFC 5321 2.3.8). A server that also takes a bare LF or CR
 *            sees other commands than the one that relayed them: SMTP smuggling.
 * Ownership: borrows.
 * Threads:   values.
 * Pure:      no I/O, no clock, no globals. */
#ifndef MAILD_SMTP_LINE_H
#define MAILD_SMTP_LINE_H

#include <stddef.h>

#include "base/core/span.h"

enum line_result { LINE_OK, LINE_MORE, LINE_BARE_LF, LINE_BARE_CR, LINE_TOO_LONG };

/* Take one line from the front of `in`.
 *
 * max    longest line in octets, CRLF included (RFC 5321 4.5.3.1.4: 512).
 * line   out: the text without CRLF; points into `in`. Set on LINE_OK only.
 * used   out: octets to drop from `in`, CRLF included. Set on LINE_OK only.
 *
 * LINE_MORE asks for more octets. The result does not depend on how the octets were cut. */
enum line_result smtp_line_next(struct span in, size_t max, struct span *line,
                                size_t *used);

#endif
