#ifndef TG_SYS_SIGNED_LINK_H
#define TG_SYS_SIGNED_LINK_H

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"
#include "lib/sys/secret.h"

/*
 * Links that a control panel makes for its users: HMAC-SHA-256 of some lines, by the key that it
 * shares with tollgate-web (web.link_key_file, without the blanks at its ends).
 */

#define SIGNED_LINK_KEY       32  /* bytes of the key, at least */
#define SIGNED_LINK_CARD_DAYS 366 /* so far ahead ends the link of a card, at most */

/* Of the lines, joined by line feeds, none of which they may hold. EX_CONFIG: the key is too short;
 * else why the file cannot be read. */
int signed_link_sign(const char *key_file, const struct slice *lines, size_t count,
                     char text[SECRET_TEXT], struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 5);
/* Of a domain's card, until that time (Unix seconds, decimal). */
int signed_link_card(const char *key_file, struct slice domain, struct slice until,
                     char text[SECRET_TEXT], struct err *err) TG_MUST_USE TG_NONNULL(1, 5);

#endif
