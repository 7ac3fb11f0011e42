/* SPDX-License-Identifier: ISC */
/* base/core/attr.h - compiler attributes and the few macros everyone may use.
 *
 * Why: the one place for what C11 itself cannot say. Nothing else in the tree
 * uses a compiler extension. */
#ifndef BASE_CORE_ATTR_H
#define BASE_CORE_ATTR_H

#include <stddef.h>

#define MUST_USE               __attribute__((warn_unused_result))
#define NO_RETURN              __attribute__((noreturn))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define UNUSED                 __attribute__((unused))
#define COUNT_OF(a)            (sizeof(a) / sizeof((a)[0]))

#endif
