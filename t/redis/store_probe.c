/*
 * A store by hand, for the tests in Python.
 *
 *     store_probe URL [USERNAME PASSWORD_FILE [CA_FILE CERT_FILE KEY_FILE SERVER_NAME]]
 *
 * Each line of standard input is a pipeline: the timeout in ms, and commands with " ; " between,
 * words with a blank between. `script KEY AMOUNT` is a script that adds to a key; `flow PREFIX KEYS
 * COUNT`, alone in a line, is a flow that gets PREFIX0, PREFIX1 ... COUNT times in all, of KEYS
 * keys that hold their numbers: "taken" says how many replies were the right ones. For each line,
 * one of JSON's: {"ms": 3, "generation": 1, "replies": [...]} or {"ms": 250, "generation": 1,
 * "error": "..."}; memory_kb is the most that the process ever had.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/redis/store_flow.h"
#include "lib/sys/clock.h"
#include "t/redis/reply_json.h"

#define WORDS_MAX    32
#define COMMANDS_MAX 4096

static const struct script adder = {"adder", "return redis.call('INCRBY', KEYS[1], ARGV[1])"};

static void add(struct store *st, char *command)
{
    struct slice argv[WORDS_MAX], rest = slice_str(command);
    size_t argc = 0;

    while (argc < WORDS_MAX && slice_word(&rest, " ", &argv[argc]))
        argc++;
    if (argc > 2 && slice_equal(argv[0], SLICE("script")))
        store_pipe_add_script(st, &adder, 1, argc - 1, argv + 1);
    else
        store_pipe_add(st, argc, argv);
}

static json_t *run(struct store *st, int64_t timeout_ms)
{
    static redisReply *replies[COMMANDS_MAX];
    size_t count = store_pipe_count(st);
    struct err err = {0};
    int64_t begin_ms = clock_monotonic_ms();
    int result = store_pipe_run(st, replies, timeout_ms, &err);
    json_t *out = json_pack("{sI sI}", "ms", (json_int_t)(clock_monotonic_ms() - begin_ms),
                            "generation", (json_int_t)store_generation(st)),
           *list;

    if (result != 0) {
        (void)json_object_set_new(out, "error", json_string(err.text));
        return out;
    }
    list = json_array();
    for (size_t i = 0; i < count; i++) {
        (void)json_array_append_new(list, reply_json(replies[i]));
        freeReplyObject(replies[i]);
    }
    (void)json_object_set_new(out, "replies", list);
    return out;
}

static json_t *run_script(struct store *st, char *line, int64_t timeout_ms)
{
    struct slice rest = slice_str(line), argv[4];
    int64_t begin_ms = clock_monotonic_ms();
    struct err err = {0};
    size_t argc = 0;
    redisReply *r;
    json_t *out;

    while (argc < 4 && slice_word(&rest, " ", &argv[argc]))
        argc++;
    r = store_script(st, &adder, 1, 2, argv + 1, timeout_ms, &err);
    out = json_pack("{sI sI}", "ms", (json_int_t)(clock_monotonic_ms() - begin_ms), "generation",
                    (json_int_t)store_generation(st));
    if (r == NULL)
        (void)json_object_set_new(out, "error", json_string(err.text));
    else
        (void)json_object_set_new(out, "replies", json_pack("[o]", reply_json(r)));
    if (r != NULL)
        freeReplyObject(r);
    return out;
}

struct flowing {
    struct store_keyed get;
    struct slice prefix;
    uint64_t keys, count, asked, taken;
};

static bool flow_next(void *context, struct store *st)
{
    struct flowing *f = context;
    char key[200];

    if (f->asked == f->count)
        return false;
    (void)snprintf(key, sizeof key, "%.*s%u", SLICE_FMT(f->prefix),
                   (unsigned)(f->asked++ % f->keys));
    store_pipe_add_keyed(st, &f->get, slice_str(key));
    return true;
}

static int flow_take(void *context, const struct flat_reply *reply, struct err *err)
{
    struct flowing *f = context;
    uint64_t n;

    if (reply->kind != FLAT_TEXT || !slice_number(reply->items[0], &n) || n != f->taken % f->keys)
        return err_set(err, 1, "reply %u is another's", (unsigned)f->taken);
    f->taken++;
    return 0;
}

static json_t *run_flow(struct store *st, char *words, int64_t timeout_ms)
{
    struct slice rest = slice_str(words), name, keys, count;
    struct flowing f = {.keys = 1};
    const struct store_flow flow = {.next = flow_next, .take = flow_take, .context = &f};
    struct err err = {0};
    json_t *out;
    int result;

    if (slice_word(&rest, " ", &name) && slice_word(&rest, " ", &f.prefix) &&
        slice_word(&rest, " ", &keys) && slice_word(&rest, " ", &count) &&
        !(slice_number(keys, &f.keys) && slice_number(count, &f.count)))
        f.count = 0;
    store_keyed_init(&f.get, 2, (const struct slice[]){SLICE("GET"), SLICE_NONE});
    result = store_flow_run(st, &flow, timeout_ms, &err);
    store_keyed_fini(&f.get);
    out = json_pack("{sI sI}", "taken", (json_int_t)f.taken, "generation",
                    (json_int_t)store_generation(st));
    if (result != 0)
        (void)json_object_set_new(out, "error", json_string(err.text));
    return out;
}

static json_t *run_pipeline(struct store *st, char *rest, int64_t timeout_ms)
{
    for (char *end; rest != NULL; rest = end) {
        end = strstr(rest, " ; ");
        if (end != NULL) {
            *end = '\0';
            end += 3;
        }
        add(st, rest);
    }
    return run(st, timeout_ms);
}

static void answer(struct store *st, char *line)
{
    struct rusage usage;
    char *rest = line;
    int64_t timeout_ms = strtol(line, &rest, 10);
    json_t *out;

    rest[strcspn(rest, "\n")] = '\0';
    if (strncmp(rest, " script ", 8) == 0 && strstr(rest, " ; ") == NULL)
        out = run_script(st, rest, timeout_ms);
    else if (strncmp(rest, " flow ", 6) == 0)
        out = run_flow(st, rest, timeout_ms);
    else
        out = run_pipeline(st, rest, timeout_ms);
    (void)getrusage(RUSAGE_SELF, &usage);
    (void)json_object_set_new(out, "memory_kb", json_integer(usage.ru_maxrss));
    (void)json_object_set_new(out, "where", json_string(store_where(st)));
    (void)json_dumpf(out, stdout, 0);
    (void)putchar('\n');
    (void)fflush(stdout);
    json_decref(out);
}

int main(int argc, char **argv)
{
    const char *words[8] = {"", "", "", "", "", "", "", ""};
    struct settings s = {.state_dir = "/nonexistent"};
    struct err err = {0};
    char *line = NULL;
    size_t room = 0;
    struct store *st;

    for (int i = 1; i < argc && i < 8; i++)
        words[i] = argv[i];
    s.store.url = words[1];
    s.store.username = words[2];
    s.store.password_file = words[3];
    s.store.tls.ca_file = words[4];
    s.store.tls.cert_file = words[5];
    s.store.tls.key_file = words[6];
    s.store.tls.server_name = words[7];
    st = store_new(&s, &err);
    if (st == NULL) {
        (void)fprintf(stderr, "%s\n", err.text);
        return err.code;
    }
    while (getline(&line, &room, stdin) > 0)
        answer(st, line);
    store_free(st);
    free(line);
    return 0;
}
