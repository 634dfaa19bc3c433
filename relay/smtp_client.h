#ifndef TG_RELAY_SMTP_CLIENT_H
#define TG_RELAY_SMTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/arena.h"
#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/slice.h"

/*
 * The client's side of SMTP for one message (RFC 5321, with PIPELINING, SIZE, 8BITMIME, SMTPUTF8
 * and STARTTLS where offered), without any socket: replies go in, commands come out, and each
 * recipient gets an outcome.
 *
 * The holder sends `out` and resets it. If `wants_text` is set, it passes the text and its end; if
 * `wants_tls`, it begins TLS and calls smtp_client_tls; if `is_over`, it sends `out` (QUIT) and
 * closes without waiting.
 *
 * Owner: init/fini; texts of outcomes are in the given arena.  Threads: one.
 */

enum smtp_outcome {
    SMTP_OUTCOME_NONE,
    SMTP_OUTCOME_DONE,  /* the server accepted it */
    SMTP_OUTCOME_LATER, /* try again */
    SMTP_OUTCOME_NEVER  /* return it to the sender */
};

struct smtp_target {
    struct slice address;
    enum smtp_outcome outcome;
    struct slice text; /* the reply, or what happened */
    bool accepted;     /* the server accepted RCPT */
};

enum smtp_tls { SMTP_TLS_NEVER, SMTP_TLS_MAY, SMTP_TLS_MUST };

struct smtp_job {
    const char *hostname;
    struct slice sender;
    bool smtputf8, eightbit;
    uint64_t text_bytes;
    enum smtp_tls tls;
    struct smtp_target *targets;
    size_t target_count;
};

enum smtp_client_state {
    SMTP_CLIENT_GREETING,
    SMTP_CLIENT_EHLO,
    SMTP_CLIENT_HELO,
    SMTP_CLIENT_STARTTLS,
    SMTP_CLIENT_MAIL,
    SMTP_CLIENT_RCPT,
    SMTP_CLIENT_DATA,
    SMTP_CLIENT_END
};

struct smtp_client {
    struct smtp_job *job;
    struct arena *arena;
    struct buf out;
    bool wants_tls, wants_text, is_over;
    enum smtp_client_state state;
    bool has_tls, can_pipeline, can_size, can_8bit, can_utf8, can_tls;
    uint64_t size_max;     /* 0: the server gave none */
    size_t sent, answered; /* targets */
    bool data_sent, at_line_start;
    struct buf line, reply; /* unfinished ones */
};

void smtp_client_init(struct smtp_client *c, struct smtp_job *job, struct arena *arena)
    TG_NONNULL(1);
void smtp_client_fini(struct smtp_client *c);

void smtp_client_take(struct smtp_client *c, struct slice in) TG_NONNULL(1);
void smtp_client_tls(struct smtp_client *c) TG_NONNULL(1);
/* CRLF at every line's end; dots are doubled here. */
void smtp_client_text(struct smtp_client *c, struct slice portion) TG_NONNULL(1);
void smtp_client_text_end(struct smtp_client *c) TG_NONNULL(1);
/* The connection is lost: targets without an outcome are to be tried later. */
void smtp_client_lost(struct smtp_client *c, const char *why) TG_NONNULL(1);

/* How long to wait for the server's next reply (RFC 5321 4.5.3.2). */
int64_t smtp_client_patience_ms(const struct smtp_client *c, int64_t usual_ms) TG_NONNULL(1);

#endif
