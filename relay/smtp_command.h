#ifndef TG_RELAY_SMTP_COMMAND_H
#define TG_RELAY_SMTP_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/slice.h"

/*
 * Parses one SMTP command line (RFC 5321 4.1). Pure; every slice points into the given line. Like
 * Postfix, and beyond the RFC, it accepts a blank behind `FROM:` and `TO:`, and a path without
 * brackets.
 */

enum smtp_verb {
    SMTP_UNKNOWN,
    SMTP_HELO,
    SMTP_EHLO,
    SMTP_MAIL,
    SMTP_RCPT,
    SMTP_DATA,
    SMTP_RSET,
    SMTP_NOOP,
    SMTP_VRFY,
    SMTP_EXPN,
    SMTP_HELP,
    SMTP_QUIT,
    SMTP_STARTTLS,
    SMTP_AUTH
};

/* The verb of the line (without its CRLF); *argument is the rest, trimmed. */
enum smtp_verb smtp_command_verb(struct slice line, struct slice *argument);
const char *smtp_command_verb_name(enum smtp_verb verb);

#define SMTP_PARAMS_MAX 16

enum smtp_body { SMTP_BODY_7BIT, SMTP_BODY_8BITMIME };

/* The argument of MAIL or RCPT. */
struct smtp_path {
    struct slice text; /* as the client wrote it, brackets and all */
    struct slice params[SMTP_PARAMS_MAX];
    size_t param_count;
    /* known parameters of MAIL */
    bool has_size, smtputf8;
    uint64_t size_bytes;
    enum smtp_body body;
};

enum smtp_path_fault {
    SMTP_PATH_OK,
    SMTP_PATH_SYNTAX,      /* 501 5.5.4 */
    SMTP_PATH_BAD_ADDRESS, /* 501 5.1.7 (MAIL), 5.1.3 (RCPT) */
    SMTP_PATH_BAD_PARAM,   /* 501 5.5.4 */
    SMTP_PATH_NO_PARAM     /* 555 5.5.4: of no extension that is offered */
};

/* `FROM:<path> [params]` or `TO:<path> [params]`. */
enum smtp_path_fault smtp_command_path_parse(struct slice argument, enum smtp_verb verb,
                                             struct smtp_path *out);

/* Whether an address (without brackets and route) has more than one @ outside quotes: such an
 * address is invalid. */
bool smtp_command_has_two_ats(struct slice address);

/* Whether any byte is above 127; whether any is a control byte. */
bool smtp_command_has_8bit(struct slice text);
bool smtp_command_has_control(struct slice text);

#endif
