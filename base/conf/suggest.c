/* SPDX-License-Identifier: ISC */
/* base/conf/suggest.c - nearest word by edit distance; see suggest.h. */
#include "base/conf/suggest.h"

#include <stdint.h>
#include <string.h>

#include "base/core/span.h"

#define WORD_MAX 63u

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static uint8_t fold(char c)
{
    return c == '-' ? (uint8_t)'_' : ascii_lower((uint8_t)c);
}

size_t suggest_distance(const char *a, const char *b)
{
    /* Row i of the usual table; the two rows above are kept for the swap of neighbours. */
    size_t rows[3][WORD_MAX + 1];
    size_t na = strlen(a);
    size_t nb = strlen(b);

    if (na > WORD_MAX || nb > WORD_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= nb; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= na; i++) {
        const size_t *above = rows[(i - 1) % 3];
        size_t *row = rows[i % 3];

        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t differs = fold(a[i - 1]) != fold(b[j - 1]);

            row[j] = least(above[j - 1] + differs, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) &&
                fold(a[i - 2]) == fold(b[j - 1]))
                row[j] = least(row[j], rows[(i - 2) % 3][j - 2] + 1);
        }
    }
    return rows[na % 3][nb];
}

void suggest_offer(struct suggest *s, const char *candidate)
{
    size_t d = suggest_distance(s->wanted, candidate);

    /* A third of the letters may be wrong; beyond that the word only confuses. */
    if (d > (strlen(s->wanted) + 2) / 3)
        return;
    if (s->best == NULL || d < s->distance) {
        s->best = candidate;
        s->distance = d;
    }
}
