/* SPDX-License-Identifier: ISC */
#include "maild/smtp/line.h"

enum line_result smtp_line_next(struct span in, size_t max, struct span *line,
                                size_t *used)
{
    size_t end = in.n < max ? in.n : max;

    for (size_t i = 0; i < end; i++) {
        if (in.p[i] == '\n')
            return LINE_BARE_LF;
        if (in.p[i] != '\r')
            continue;
        if (i + 1 == end)
            break;
        if (in.p[i + 1] != '\n')
            return LINE_BARE_CR;
        *line = span_take(in, i);
        *used = i + 2;
        return LINE_OK;
    }
    return in.n < max ? LINE_MORE : LINE_TOO_LONG;
}
