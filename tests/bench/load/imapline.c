/* SPDX-License-Identifier: ISC */
#include "tests/bench/load/imapline.h"

#include <string.h>

size_t imapline_literal(struct span line)
{
    size_t i = line.n;
    size_t n = 0;
    size_t unit = 1;

    if (i < 3 || line.p[--i] != '}')
        return 0;
    while (i > 0 && line.p[i - 1] >= '0' && line.p[i - 1] <= '9' && unit < 100000000) {
        n += unit * (size_t)(line.p[--i] - '0');
        unit *= 10;
    }
    return i > 0 && line.p[i - 1] == '{' ? n : 0;
}

unsigned imapline_number(struct span line, const char *word)
{
    unsigned n = 0;
    size_t i = 2;
    size_t len = strlen(word);

    if (line.n < 3 || line.p[0] != '*')
        return 0;
    while (i < line.n && line.p[i] >= '0' && line.p[i] <= '9')
        n = n * 10 + (unsigned)(line.p[i++] - '0');
    return line.n - i >= len && memcmp(line.p + i, word, len) == 0 ? n : 0;
}

bool imapline_has(struct span s, const char *text)
{
    return memmem(s.p, s.n, text, strlen(text)) != NULL;
}
