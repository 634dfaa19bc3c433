#ifndef TG_MILTER_QUESTIONS_H
#define TG_MILTER_QUESTIONS_H

#include "lib/core/contract.h"
#include "lib/ledger/held.h"
#include "lib/sys/line_socket.h"
#include "lib/sys/settings.h"

/*
 * The socket STATE_DIR/questions.sock, on which tollgate-web asks what this node knows of a
 * message. It can be asked by the group of tollgated, and changes nothing:
 *
 *   {"cmd":"why","id":"4jWnX03VvBz1cTBS"}
 *     {"node":"mx1",
 *      "held_known":true: the ledger can be read,
 *      "held":null or {"account":..,"since":..,"released":false,"place":2,"of":3},
 *      "in_doubt":false or null (the ledger cannot be read),"in_doubt_since":0,
 *      "counted":[{"number":..,"time":..,"size":..,"was_held":false,"class":"out","account":..,
 *                  "user":..,"users":1,"recipients":..,"bytes":..}, ...], the oldest first; null:
 * the journal cannot be read "more":false}: there are more than QUESTIONS_ROWS
 *
 * or {"error":".."}. Times in Unix seconds.
 *
 * It reads the ledger and the journal's files as another program would, and waits for nobody.
 * Threads: that of the socket.
 * Limits: an id of MAIL_TRACE_ID bytes, letters and digits; a connection that is silent for 2 s is
 * closed.
 */

#define QUESTIONS_ROWS 100

struct questions {
    const struct settings
        *settings; /* borrowed: those of the start; no reload changes what counts */
    struct held_messages *held;
    struct line_socket socket;
};

int questions_start(struct questions *q, const struct settings *s, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 3);
void questions_stop(struct questions *q) TG_NONNULL(1); /* one that was not started is a no-op */

#endif
