/* SPDX-License-Identifier: ISC */
/* maild/queue/history_int.h - what history.c (writing) and history_trace.c (reading) share. */
#ifndef MAILD_QUEUE_HISTORY_INT_H
#define MAILD_QUEUE_HISTORY_INT_H

#include "maild/queue/dbq.h"
#include "maild/queue/history.h"

struct history {
    struct dbq *dbq;
    struct loop *loop;
};

#endif
