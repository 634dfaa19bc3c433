#include "lib/redis/store_refusal.h"

#include <string.h>
#include <sysexits.h>

#include "lib/redis/link.h"

int store_refusal(const struct store *store, const redisReply *reply, struct err *err)
{
    static const struct {
        const char *word, *fix;
    } fixes[] = {
        {"OOM", "raise its maxmemory"},
        {"READONLY", "point store.url at the master, not at a replica"},
        {"MISCONF", "it cannot save to its disk: see its log"},
        {"NOPERM", "give its user the rights that tollgate-keys(7) lists (ACL)"},
        {"NOAUTH", "set store.username and store.password_file"},
        {"LOADING", "it is loading its data, wait"},
        {"BUSY ", "somebody's script runs too long: redis-cli SCRIPT KILL"},
        {"CLUSTERDOWN", "a part of the cluster is down: redis-cli CLUSTER INFO"},
        {"NOREPLICAS", "it has too few replicas (min-replicas-to-write)"},
        {"MASTERDOWN", "point store.url at the master, not at a replica"},
    };
    struct slice text = link_reply_text(reply);
    const char *fix = "";

    for (size_t i = 0; i < sizeof fixes / sizeof fixes[0]; i++) {
        if (memmem(text.ptr, text.len, fixes[i].word, strlen(fixes[i].word)) != NULL) {
            fix = fixes[i].fix;
            break;
        }
    }
    return err_set(err, EX_UNAVAILABLE, "redis at %s: %.*s%s%s", store_where(store),
                   (int)(text.len < 200 ? text.len : 200), text.ptr, fix[0] != '\0' ? ": " : "",
                   fix);
}
