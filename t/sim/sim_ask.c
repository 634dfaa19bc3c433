#include "t/sim/sim_ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ledger/scripts.h"
#include "lib/redis/link.h"
#include "t/sim/sim_store.h"

#define WORDS_MAX 64
#define LINE_ROOM 65536

static void reply_print(const redisReply *reply)
{
    struct slice text = link_reply_text(reply);

    switch (reply->type) {
    case REDIS_REPLY_INTEGER:
        printf(":%lld ", reply->integer);
        break;
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
        printf("$%.*s ", SLICE_FMT(text));
        break;
    case REDIS_REPLY_ARRAY:
        printf("[ ");
        for (size_t i = 0; i < reply->elements; i++)
            reply_print(reply->element[i]);
        printf("] ");
        break;
    case REDIS_REPLY_ERROR:
        printf("- ");
        break;
    default:
        printf("_ ");
    }
}

static const char *source_of(struct slice name)
{
    static const struct {
        const char *name, *source;
    } scripts[] = {{"push", script_push_source},
                   {"users", script_users_source},
                   {"node", script_node_source},
                   {"adopt", script_adopt_source}};

    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        if (slice_equal(name, slice_str(scripts[i].name)))
            return scripts[i].source;
    }
    return "return 0";
}

/* EVAL name keys word... */
static redisReply *ask(struct store *store, size_t count, const struct slice *words)
{
    struct script script = {"asked", NULL};
    uint64_t keys;

    if (!slice_equal(words[0], SLICE("EVAL")) || count < 3 || !slice_number(words[2], &keys))
        return sim_store_ask(count, words);
    script.source = source_of(words[1]);
    return store_script(store, &script, keys, count - 3, words + 3, 1000, NULL);
}

int sim_ask_serve(void)
{
    static char line[LINE_ROOM];
    struct store *store = store_new(&(struct settings){0}, NULL);

    while (fgets(line, sizeof line, stdin) != NULL) {
        struct slice words[WORDS_MAX], rest = {line, strcspn(line, "\n")};
        size_t count = 0;
        redisReply *reply;

        while (count < WORDS_MAX && slice_cut(&rest, '\t', &words[count]))
            count++;
        reply = ask(store, count, words);
        reply_print(reply);
        printf("\n");
        freeReplyObject(reply);
    }
    store_free(store);
    return 0;
}
