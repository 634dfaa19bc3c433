#ifndef TG_SYS_LINE_SOCKET_H
#define TG_SYS_LINE_SOCKET_H

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"

/*
 * A Unix socket in STATE_DIR on which programs ask a daemon: one JSON object a line in, one out.
 *
 * Threads: one of its own, which serves one connection after the other.
 * Limits: LINE_SOCKET_BYTES a line; a connection that is silent for `silence_ms` is closed.
 */

#define LINE_SOCKET_BYTES 65536

/* The answer to a request; {"error": "..."} where there is none. NULL: the connection is closed. */
typedef json_t *line_socket_answer(void *context, const json_t *request);

struct line_socket {
    /* Set before the start; the name is borrowed. */
    const char *name; /* of the socket and, in messages, of the thread: "control" */
    mode_t mode;
    int silence_ms;
    line_socket_answer *answer;
    void *context;
    /* The rest is its own. */
    char path[108];
    int listener, wake[2]; /* descriptors; writing to wake[1] ends the thread */
    bool is_open, has_thread;
    pthread_t thread;
};

/* Listens on STATE_DIR/NAME.sock. line_socket_stop in any case. */
int line_socket_start(struct line_socket *l, const char *state_dir, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 3);
/* Waits for the answer that is being made. One that was not started is a no-op. */
void line_socket_stop(struct line_socket *l) TG_NONNULL(1);
/* Is it being stopped? An answer that waits for something looks from time to time. */
bool line_socket_is_stopping(const struct line_socket *l) TG_NONNULL(1);

json_t *line_socket_error(const char *text) TG_NONNULL(1);

#endif
