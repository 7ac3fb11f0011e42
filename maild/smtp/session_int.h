/* SPDX-License-Identifier: ISC */
/* maild/smtp/session_int.h - what the files of the session machine share:
 * session.c (phases, replies, time), session_answer.c (what other roles answer),
 * session_cmd.c (one function a verb), session_msg.c (the message: octets, header checks). */
#ifndef MAILD_SMTP_SESSION_INT_H
#define MAILD_SMTP_SESSION_INT_H

#include "base/core/attr.h"
#include "maild/smtp/session.h"

/* First thing in every call: a new step, and the reset that the call before left due. */
void session_begin(struct smtp_session *s);
/* The idle time begins anew. */
void session_touch(struct smtp_session *s, int64_t now_ms);
/* Answer with a fixed reply; 5xx counts as an error. */
void session_say(struct smtp_session *s, enum smtp_reply_id id);
/* The same with a code and text of one's own (the text begins with its status code). */
void session_say_text(struct smtp_session *s, unsigned code, const char *text);
/* Answer, and remember why: `at` names the decision ("mail", "rcpt", "data", ...),
 * `subject` what it is about. A 4xx or 5xx becomes the step's verdict. */
void session_decide(struct smtp_session *s, const char *at, const char *subject,
                    enum smtp_reply_id id);
void session_decide_text(struct smtp_session *s, const char *at, const char *subject,
                         unsigned code, const char *text);
/* Take no input until the answer to `what` comes. */
void session_wait(struct smtp_session *s, enum smtp_waiting what, enum smtp_act act);
/* Say a last word, and no more. */
void session_close(struct smtp_session *s, enum smtp_reply_id id);
/* Forget sender, recipients, message; back to READY when there was a HELO. */
void session_reset(struct smtp_session *s);

/* session_cmd.c: one line of the client, and what its SASL exchange came to. */
void session_command(struct smtp_session *s, struct span line);
void session_sasl(struct smtp_session *s, enum sasl_result r);
void session_auth_failed(struct smtp_session *s, enum smtp_reply_id id);

/* The rows of verb.c. */
void verb_helo(struct smtp_session *s, struct span arg);
void verb_ehlo(struct smtp_session *s, struct span arg);
void verb_mail(struct smtp_session *s, struct span arg);
void verb_rcpt(struct smtp_session *s, struct span arg);
void verb_data(struct smtp_session *s, struct span arg);
void verb_rset(struct smtp_session *s, struct span arg);
void verb_noop(struct smtp_session *s, struct span arg);
void verb_quit(struct smtp_session *s, struct span arg);
void verb_vrfy(struct smtp_session *s, struct span arg);
void verb_help(struct smtp_session *s, struct span arg);
void verb_starttls(struct smtp_session *s, struct span arg);
void verb_auth(struct smtp_session *s, struct span arg);
void verb_missing(struct smtp_session *s, struct span arg);

/* session_msg.c */
void session_data_begin(struct smtp_session *s);
/* Take octets of the message. True when there was progress worth a new idle time. */
bool session_data_octets(struct smtp_session *s, struct span in);
/* Refuse the message that has just ended. */
void session_refuse_message(struct smtp_session *s, enum smtp_reply_id id);
/* Go on with the checks at the end of the message; the last one asks for acceptance. */
void session_check_from(struct smtp_session *s);

#endif
