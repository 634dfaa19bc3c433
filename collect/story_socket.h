#ifndef TG_COLLECT_STORY_SOCKET_H
#define TG_COLLECT_STORY_SOCKET_H

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/sys/line_socket.h"

/*
 * The socket STATE_DIR/collect/story.sock, on which tollgate-web asks what the mail log says of a
 * message. It can be asked by the group of tollgate-collect, and changes nothing:
 *
 *   {"cmd":"story","id":"4jWnX03VvBz1cTBS"}
 *     {"stories":[{"instance":"postfix","trace":".."}]}   the trace (lib/core/mail_trace) in
 *                                                         hexadecimal digits
 *
 * or {"error":".."}. It reads the ledger's file as another program would.
 * Threads: that of the socket.
 * Limits: an id of MAIL_TRACE_ID bytes, letters and digits; STORY_SOCKET_STORIES stories; a
 * connection that is silent for 2 s is closed.
 */

#define STORY_SOCKET_STORIES 8

struct story_socket {
    const char *state_dir; /* borrowed */
    struct line_socket socket;
};

/* `dir` is that of the ledger. With signals blocked. */
int story_socket_start(struct story_socket *s, const char *state_dir, const char *dir,
                       struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3, 4);
void story_socket_stop(struct story_socket *s) TG_NONNULL(1); /* not started: a no-op */

#endif
