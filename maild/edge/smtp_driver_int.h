/* SPDX-License-Identifier: ISC */
/* maild/edge/smtp_driver_int.h - what the two files of the SMTP driver share:
 * smtp_driver.c (connection, steps, time), smtp_ask.c (questions to other roles). */
#ifndef MAILD_EDGE_SMTP_DRIVER_INT_H
#define MAILD_EDGE_SMTP_DRIVER_INT_H

#include "base/core/msgid.h"
#include "base/io/conn.h"
#include "base/io/ipc.h"
#include "maild/edge/body.h"
#include "maild/edge/edge_int.h"
#include "maild/edge/rdns.h"
#include "maild/smtp/session.h"

struct driver {
    struct edge_session base;
    enum conf_service service;
    struct conn *conn;
    struct smtp_session s;
    struct loop_timer *timer;
    struct loop_timer *rest; /* runs while the client has to wait for his next command */
    struct ipc_call *call;
    struct loop_timer
        *unasked; /* a question that could not be sent is answered from here */
    ipc_answer_fn unasked_cb;
    struct rdns *rdns;
    struct body *body; /* of the message being received, else NULL */
    struct msgid id;   /* its name */
    bool is_complete;  /* its last octet is there; queue has not been asked yet */
};

/* Now, on the clock of the machine. */
int64_t driver_now(const struct driver *d);
/* Carry out this step and what follows. `d` may be gone afterwards. */
void driver_drive(struct driver *d, const struct smtp_step *step);

/* smtp_ask.c. Each question is answered to the machine later, from the loop. */
void driver_ask_rcpt(struct driver *d);
void driver_ask_sender(struct driver *d);
void driver_ask_auth(struct driver *d);
/* Begin the body with the first octets, or go on with it. */
void driver_keep_body(struct driver *d, struct span octets);
/* Give the complete message to queue, as soon as all of it is there: call it again when
 * something it waits for has come. */
void driver_offer(struct driver *d);
/* Tell queue, for history and trace, about something that was not taken. */
void driver_verdict(struct driver *d, const char *outcome, const char *sender,
                    const char *rcpt, const char *reply);
/* A question could not even be sent: timer callback that answers it. */
void driver_on_unasked(void *ctx);
/* The client's name is known now. */
void driver_on_rdns(void *ctx);

#endif
