/*
 * A pipeline by hand, for the tests in Python.
 *
 *     pipeline_probe URL TIMEOUT_MS [USERNAME PASSWORD_FILE [CA_FILE CERT_FILE KEY_FILE]]
 *
 * Each line of standard input is a trip: its number, its time in ms, and commands with " ; "
 * between, words with a blank between. `script KEY AMOUNT` is a script that adds to a key. Lines
 * that come together are begun, and sent, together. For each trip, when it has ended, one line:
 * {"id": 7, "replies": [...], "ms": 3} or {"id": 7, "error": "...", "ms": 250}, and whether the
 * breaker is open.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/redis/pipeline.h"
#include "lib/sys/clock.h"
#include "t/redis/reply_json.h"

#define WORDS_MAX    16
#define COMMANDS_MAX 64
#define LINES_BYTES  ((size_t)4 << 20)

static const struct script adder = {"adder", "return redis.call('INCRBY', KEYS[1], ARGV[1])"};
static struct pool *pool;
static struct pipeline *pipeline;
static int mark; /* of its descriptors */

struct task {
    struct pipeline_trip trip;
    int64_t id, begin_ms;
    char *line;
    struct slice words[COMMANDS_MAX][WORDS_MAX];
    struct pipeline_command commands[COMMANDS_MAX];
    redisReply *replies[COMMANDS_MAX];
};

static void tell(struct task *t, const struct err *err)
{
    struct rusage usage;
    json_t *out = json_pack("{sI sI sb}", "id", (json_int_t)t->id, "ms",
                            (json_int_t)(clock_monotonic_ms() - t->begin_ms), "open",
                            pool_is_open(pool)),
           *list = json_array();

    for (size_t i = 0; err == NULL && i < t->trip.count; i++) {
        (void)json_array_append_new(list, reply_json(t->replies[i]));
        freeReplyObject(t->replies[i]);
    }
    if (err != NULL)
        (void)json_object_set_new(out, "error", json_string(err->text));
    (void)json_object_set_new(out, "replies", list);
    (void)getrusage(RUSAGE_SELF, &usage);
    (void)json_object_set_new(out, "memory_kb", json_integer(usage.ru_maxrss));
    (void)json_dumpf(out, stdout, 0);
    (void)putchar('\n');
    json_decref(out);
    free(t->line);
    free(t);
}

static void ended(struct pipeline_trip *trip, const struct err *err)
{
    tell((struct task *)(void *)trip, err); /* its first field */
}

static void command_make(struct task *t, char *text)
{
    struct slice rest = slice_str(text);
    struct slice *words = t->words[t->trip.count];
    size_t argc = 0;
    bool is_script;

    while (argc < WORDS_MAX && slice_word(&rest, " ", &words[argc]))
        argc++;
    is_script = argc > 2 && slice_equal(words[0], SLICE("script"));
    t->commands[t->trip.count++] = is_script
                                       ? (struct pipeline_command){&adder, words + 1, argc - 1, 1}
                                       : (struct pipeline_command){NULL, words, argc, 0};
}

static void begin(const char *line)
{
    struct task *t = calloc(1, sizeof *t);
    struct err err = {0};
    char *rest, *end;
    int64_t timeout_ms;

    t->line = strdup(line);
    t->id = strtoll(t->line, &rest, 10);
    timeout_ms = strtoll(rest, &rest, 10);
    for (; rest != NULL; rest = end) {
        end = strstr(rest, " ; ");
        if (end != NULL) {
            *end = '\0';
            end += 3;
        }
        command_make(t, rest);
    }
    t->begin_ms = clock_monotonic_ms();
    t->trip.commands = t->commands;
    t->trip.replies = t->replies;
    t->trip.deadline_ms = t->begin_ms + timeout_ms;
    t->trip.ended = ended;
    if (pipeline_begin(pipeline, &t->trip, &err) != 0)
        tell(t, &err);
}

/* False: the end. */
static bool read_lines(void)
{
    static char text[LINES_BYTES];
    static size_t len;
    ssize_t n = read(STDIN_FILENO, text + len, sizeof text - len - 1);
    char *line = text, *end;

    if (n <= 0)
        return false;
    len += (size_t)n;
    text[len] = '\0';
    while ((end = strchr(line, '\n')) != NULL) {
        *end = '\0';
        begin(line);
        line = end + 1;
    }
    len -= (size_t)(line - text);
    memmove(text, line, len);
    return true;
}

static void serve(int epoll)
{
    struct pollfd polls[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
                              {.fd = epoll, .events = POLLIN}};

    for (;;) {
        struct epoll_event event;

        (void)fflush(stdout);
        (void)poll(polls, 2, -1);
        pipeline_gather(pipeline, true);
        while (epoll_wait(epoll, &event, 1, 0) == 1 && event.data.ptr == &mark)
            pipeline_run(pipeline);
        if (polls[0].revents != 0 && !read_lines())
            return;
        pipeline_gather(pipeline, false);
    }
}

int main(int argc, char **argv)
{
    const char *words[9] = {"", "", "0", "", "", "", "", "", ""};
    struct settings s = {.state_dir = "/nonexistent"};
    struct err err = {0};
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    for (int i = 1; i < argc && i < 9; i++)
        words[i] = argv[i];
    s.store.url = words[1];
    s.store.timeout_ms = atoi(words[2]);
    s.store.username = words[3];
    s.store.password_file = words[4];
    s.store.tls.ca_file = words[5];
    s.store.tls.cert_file = words[6];
    s.store.tls.key_file = words[7];
    s.store.tls.server_name = words[8];
    pool = pool_new(&s, 1, &err);
    if (pool != NULL && pipeline_suits(&s))
        pipeline = pipeline_new(pool, &s, epoll, &mark, &err);
    if (pipeline == NULL) {
        (void)fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    serve(epoll);
    pipeline_free(pipeline);
    pool_free(pool);
    (void)close(epoll);
    return 0;
}
