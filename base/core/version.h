/* SPDX-License-Identifier: ISC */
/* base/core/version.h - the version all programs of this tree share. */
#ifndef BASE_CORE_VERSION_H
#define BASE_CORE_VERSION_H

#define SIGNPOST_VERSION "0.1.0"

#endif
