/* SPDX-License-Identifier: ISC */
/* maild/smtp/reply.h - every fixed reply of the server, with its code and enhanced code.
 *
 * Why:       one list to read, to check against RFC 5321 4.2.3, RFC 3463 and RFC 5248, and
 *            to keep the wording from drifting.
 * Pure:      constants. */
#ifndef MAILD_SMTP_REPLY_H
#define MAILD_SMTP_REPLY_H

#include <stdint.h>

/* id, code, enhanced status code ("" where RFC 2034 3 wants none), text */
#define SMTP_REPLIES(R)                                                                  \
    R(BYE, 221, "2.0.0", "Goodbye")                                                      \
    R(OK, 250, "2.0.0", "OK")                                                            \
    R(SENDER_OK, 250, "2.1.0", "Sender accepted")                                        \
    R(RCPT_OK, 250, "2.1.5", "Recipient accepted")                                       \
    R(VRFY, 252, "2.5.0", "Cannot say; send mail and see")                               \
    R(HELP, 214, "2.0.0",                                                                \
      "Commands: HELO EHLO MAIL RCPT DATA RSET NOOP QUIT VRFY STARTTLS AUTH (RFC 5321)") \
    R(TLS_READY, 220, "2.0.0", "Begin TLS now")                                          \
    R(AUTH_OK, 235, "2.7.0", "Authenticated")                                            \
    R(DATA, 354, "", "Send the message, end with CRLF . CRLF")                           \
    R(SHUTDOWN, 421, "4.3.2", "Service stops now, try again later")                      \
    R(IDLE, 421, "4.4.2", "Waited too long for a command")                               \
    R(TOTAL_TIME, 421, "4.4.2", "The session has lasted too long")                       \
    R(ERRORS, 421, "4.7.0", "Too many errors")                                           \
    R(COMMANDS, 421, "4.7.0", "Too many commands without a message")                     \
    R(MESSAGES, 421, "4.7.0", "Enough messages for one session")                         \
    R(AUTH_FAILURES, 421, "4.7.0", "Too many failed authentication attempts")            \
    R(LOCAL_FAULT, 451, "4.3.0", "Temporary local trouble, try again later")             \
    R(RCPT_LATER, 451, "4.3.0", "Cannot check this recipient now, try again later")      \
    R(SENDER_LATER, 451, "4.3.0", "Cannot check this sender now, try again later")       \
    R(RCPT_FULL, 452, "4.5.3", "Too many recipients, send the rest separately")          \
    R(RCPT_QUOTA, 452, "4.2.2", "This mailbox is full")                                  \
    R(AUTH_LATER, 454, "4.7.0", "Cannot check the password now, try again later")        \
    R(NO_TLS, 454, "4.7.0", "TLS is not available")                                      \
    R(UNKNOWN, 500, "5.5.2", "Command not recognized")                                   \
    R(LONG_LINE, 500, "5.5.6", "Command line too long")                                  \
    R(FORBIDDEN_OCTET, 500, "5.5.2", "A command has octets that no command has")         \
    R(NO_ARGUMENT, 501, "5.5.4", "This command takes no argument")                       \
    R(HELO_SYNTAX, 501, "5.5.4", "Name yourself: EHLO host.example or EHLO [192.0.2.1]") \
    R(MAIL_SYNTAX, 501, "5.5.4", "Syntax: MAIL FROM:<address> [parameters]")             \
    R(RCPT_SYNTAX, 501, "5.5.4", "Syntax: RCPT TO:<address>")                            \
    R(AUTH_SYNTAX, 501, "5.5.4", "Syntax: AUTH mechanism [initial response]")            \
    R(PARAM_SYNTAX, 501, "5.5.4", "Malformed parameter")                                 \
    R(SENDER_BAD, 501, "5.1.7", "Malformed sender address")                              \
    R(SENDER_LONG, 501, "5.1.7", "Sender address too long")                              \
    R(SENDER_DOMAIN, 501, "5.1.8", "The sender's domain is not a host name")             \
    R(RCPT_BAD, 501, "5.1.3", "Malformed recipient address")                             \
    R(RCPT_LONG, 501, "5.1.3", "Recipient address too long")                             \
    R(RCPT_DOMAIN, 501, "5.1.2", "The recipient's domain is not a host name")            \
    R(AUTH_BASE64, 501, "5.5.2", "That is not base64")                                   \
    R(AUTH_FORM, 501, "5.5.2", "That is not what this mechanism sends")                  \
    R(AUTH_CANCELLED, 501, "5.7.0", "Authentication cancelled")                          \
    R(NOT_IMPLEMENTED, 502, "5.5.1", "Command not implemented")                          \
    R(NO_AUTH_HERE, 502, "5.5.1", "Nobody logs in on this port; use 465 or 587")         \
    R(TLS_ALREADY, 503, "5.5.1", "TLS is already on")                                    \
    R(AUTH_ALREADY, 503, "5.5.1", "Already authenticated")                               \
    R(AUTH_MECH, 504, "5.5.4", "Mechanisms here are PLAIN and LOGIN")                    \
    R(BARE_CR, 521, "5.5.2", "Bare CR received; only CRLF ends a line. Goodbye")         \
    R(BARE_LF, 521, "5.5.2", "Bare LF received; only CRLF ends a line. Goodbye")         \
    R(FOREIGN, 521, "5.5.2", "This is SMTP. Goodbye")                                    \
    R(EARLY, 554, "5.5.1", "You spoke before the greeting. Goodbye")                     \
    R(NEED_TLS, 530, "5.7.0", "STARTTLS first")                                          \
    R(NEED_AUTH, 530, "5.7.0", "Authentication required")                                \
    R(AUTH_FAILED, 535, "5.7.8", "Login or password is wrong")                           \
    R(AUTH_NEEDS_TLS, 538, "5.7.11", "Passwords only under TLS: STARTTLS first")         \
    R(RCPT_UNKNOWN, 550, "5.1.1", "No such mailbox here")                                \
    R(RCPT_TOO_MANY, 550, "5.4.6", "This alias leads to too many recipients")            \
    R(RCPT_DISABLED, 550, "5.2.1", "This mailbox takes no mail")                         \
    R(NOT_OURS, 550, "5.7.1",                                                            \
      "We are not responsible for that domain, and do not relay")                        \
    R(RCPT_UTF8, 550, "5.6.7", "Non-ASCII addresses need SMTPUTF8, not offered here")    \
    R(SENDER_UTF8, 553, "5.6.7", "Non-ASCII addresses need SMTPUTF8, not offered here")  \
    R(TOO_BIG, 552, "5.3.4", "Message too large")                                        \
    R(HEADER_BIG, 552, "5.3.4", "Message header too large")                              \
    R(NOT_YOUR_SENDER, 553, "5.7.1", "Your login may not use this sender address")       \
    R(NOT_YOUR_FROM, 553, "5.7.1", "Your login may not use the address in From")         \
    R(FROM_MISSING, 554, "5.6.0", "The message needs exactly one From field")            \
    R(FROM_BAD, 554, "5.6.0", "The From field cannot be read as addresses")              \
    R(NO_RECIPIENTS, 554, "5.5.1", "No valid recipients")                                \
    R(HOPS, 554, "5.4.6", "Too many hops: the message goes in circles")                  \
    R(PARAM_UNKNOWN, 555, "5.5.4", "Parameter not supported")

enum smtp_reply_id {
#define REPLY_ID(id, code, status, text) REPLY_##id,
    SMTP_REPLIES(REPLY_ID)
#undef REPLY_ID
        REPLY_COUNT
};

struct smtp_reply {
    uint16_t code;
    const char *status; /* enhanced status code (RFC 3463), or "" */
    const char *text;
};

const struct smtp_reply *smtp_reply(enum smtp_reply_id id);

#endif
