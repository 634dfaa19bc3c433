#ifndef TG_SYS_WEB_USERS_H
#define TG_SYS_WEB_USERS_H

#include <stdbool.h>

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * web.users_file: who may use the pages, one a line:
 *
 *     admin:$y$j9T$...:admin:
 *     anna:$y$j9T$...:domain:example.com,example.org
 *     alice@example.com:$y$j9T$...:user:example.com
 *     grafana:sha256=9f86d0...:admin:
 *     panel:sha256+write=3c5f...:admin:
 *
 * A name, the hash of its password (crypt(3)) or of its token, its role, and domains: those that a
 * domain's administrator has, or the one that a user is charged to. A token only reads unless it
 * may write. Blank lines and those that begin with # are ignored.
 *
 * `tollgate web` writes it, tollgate-web reads it.  Owner: slices are borrowed from the text.
 * Errors: EX_CONFIG with file:line.
 */

#define WEB_USERS_FILE_MAX    ((size_t)16 << 20)
#define WEB_USERS_NAME_MAX    255
#define WEB_USERS_TOKEN_START "tg_"

enum web_role { WEB_ROLE_NONE, WEB_ROLE_ADMIN, WEB_ROLE_DOMAIN, WEB_ROLE_USER };

struct web_user {
    struct slice name, hash;
    enum web_role role;
    struct slice domains; /* canonical, apart by commas */
    bool may_write;       /* of a token: it changes limits, too */
};

const char *web_users_role_name(enum web_role role);
enum web_role web_users_role(struct slice name); /* WEB_ROLE_NONE: no such role */

/* False: there is none. Of a token, the text as it was given out ("tg_..."). */
bool web_users_find(struct slice file, struct slice name, struct web_user *out) TG_NONNULL(3);
bool web_users_find_token(struct slice file, struct slice token, struct web_user *out)
    TG_NONNULL(3);

/* Checks every line; `name` is the file's, for messages. */
int web_users_check(struct slice file, const char *name, struct err *err) TG_MUST_USE TG_NONNULL(2);
/* Is it a name that may stand there: 1 to WEB_USERS_NAME_MAX bytes of UTF-8, no blank, no control,
 * none of : { } and no # in front? */
bool web_users_is_name(struct slice name);
/* "B\u00fccher.example, example.org" -> "xn--bcher-kva.example,example.org" */
int web_users_domains(struct slice list, struct arena *arena, struct slice *out,
                      struct err *err) TG_MUST_USE TG_NONNULL(2, 3);

/* A new token, and its hash as it stands in the file. */
#define WEB_USERS_TOKEN_ROOM 80
void web_users_token_new(bool may_write, char token[WEB_USERS_TOKEN_ROOM],
                         char hash[WEB_USERS_TOKEN_ROOM]);

/* Puts the user in the place of the one of that name, or behind the last. The file is replaced
 * atomically, under a lock; a new one is 0640 and belongs to the group of `account`, if there is
 * such an account. */
int web_users_put(const char *path, const struct web_user *user, const char *account,
                  struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);

#endif
