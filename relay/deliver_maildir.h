#ifndef TG_RELAY_DELIVER_MAILDIR_H
#define TG_RELAY_DELIVER_MAILDIR_H

#include "lib/core/address.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "relay/queue.h"

/*
 * Delivery into a Maildir (https://cr.yp.to/proto/maildir.html): ROOT/DOMAIN/USER, created if
 * missing; names are lower case, without the extension (+tag) of an address. Lines end in LF;
 * Return-Path and Delivered-To come first. The file is on the disk when the function returns.
 *
 * The file's name comes from the queue id and the recipient, so that a delivery that a crash left
 * unrecorded is not made twice while the message is still in new/.
 */

/* -1: err->code is EX_NOUSER for an address that can have no Maildir (permanent), else the disk
 * failed. */
int deliver_maildir(const struct queue_file *f, size_t recipient, const struct address *address,
                    const char *root, const char *hostname, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

/* USER: the local part as a file name: lower case, without extension, with `/`, `%`, blanks,
 * control bytes and a leading dot as %XX. False if nothing is left or it is too long. */
bool deliver_maildir_user(struct slice local, char *name, size_t room);
/* Whether the address can have a Maildir at all. */
bool deliver_maildir_takes(const struct address *address) TG_NONNULL(1);

#endif
