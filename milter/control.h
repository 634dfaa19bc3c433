#ifndef TG_MILTER_CONTROL_H
#define TG_MILTER_CONTROL_H

#include "lib/core/contract.h"
#include "lib/ledger/accountant.h"
#include "lib/ledger/held.h"
#include "lib/sys/line_socket.h"
#include "milter/dispatch.h"
#include "milter/maintenance.h"

/*
 * The control socket, STATE_DIR/control.sock, through which `tollgate release` releases held
 * messages. One JSON object a line in, one out:
 *
 *   {"cmd":"held","account":"example.com"}   {"held":[{"id":..,"number":..,"account":..,"time":..,
 *                                            "released":false,"queue":".."}, ...]}, the longest
 * held first; released: charged; the MTA may still have it on hold queue: where it was seen on
 * hold; "": nowhere yet
 *   {"cmd":"place","queue":"/etc/postfix",
 *    "numbers":[..]}                         {"ok":true}: these are on hold in that queue
 *   {"cmd":"release","id":..,"number":..}    {"ok":true}: charged, the MTA may release it;
 *                                            {"wait_s":720,"limit":"domain/recipients/hour"}
 *   the same with "by":"admin"               {"ok":true,"over":false}: charged; over: although its
 *                                            limit has no room
 *   the same with "by":"mta"                 the same, of a message that has left the hold queue
 *                                            already
 *   {"cmd":"forget","id":..,"number":..,     {"ok":true}: it is never charged. The queue has to be
 *    "queue":"/etc/postfix"}                 the one that it was seen in. "unknown":true: no log
 *                                            tells whether it was deleted
 *   {"cmd":"asked"}                          {"asked":[{"id":..,"account":..,"held":..}, ...]}: the
 *                                            messages whose release was asked for on the pages
 *   {"cmd":"asked_done","id":..,
 *    "released":true}                        {"ok":true}: that request is gone, and logged
 *   {"cmd":"sources"}                        {"kept_why":""}: why the sources in force are not
 * those on disk; empty where they are
 *
 * or {"error":"..."}, with "never":true where waiting is useless (the message is larger than its
 * limit). Whoever may write to the socket (its owner and root) may send all of these.
 *
 * Threads: that of the socket; the fields are its alone between control_start and control_stop.
 * Limits: those of line_socket; a connection that is silent for 10 s is closed.
 */

struct control {
    struct dispatch *dispatch; /* borrowed, as the next two */
    struct journal *journal;
    struct accountant *accountant;
    struct maintenance *maintenance;
    struct held_messages *held;
    struct line_socket socket;
};

/* Listens in `state_dir`. dispatch (and its journal), accountant and maintenance are borrowed. */
int control_start(struct control *c, struct dispatch *dispatch, struct accountant *accountant,
                  struct maintenance *maintenance, const char *state_dir,
                  struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3, 4, 5);
void control_stop(struct control *c); /* one that was not started is a no-op */

#endif
