#ifndef TG_RELAY_DELIVER_MAILDIR_H
#define TG_RELAY_DELIVER_MAILDIR_H

#include "lib/core/address.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "relay/queue.h"

/*
 * Delivery into a Maildir (https://cr.yp.to/proto/maildir.html): ROOT/DOMAIN/USER, made if missing;
 * the extension (+tag) of an address is cut, names are lower case. Lines end in LF; Return-Path and
 * Delivered-To stand at the top. The file is on the disk when the function returns.
 *
 * The file's name comes from the queue id and the recipient, so that a delivery that a crash left
 * unrecorded is not made twice while the message is still in new/.
 */

/* -1: err->code is EX_NOUSER for an address that can have no Maildir (for good), else the disk's
 * fault. */
int deliver_maildir(const struct queue_file *f, size_t recipient, const struct address *address,
                    const char *root, const char *hostname, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

/* USER: the local part as a file name: lower case, extension cut, `/`, control bytes and a leading
 * dot as %XX. False where nothing is left or it is too long. */
bool deliver_maildir_user(struct slice local, char *name, size_t room);

#endif
