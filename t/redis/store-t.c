/* Talking to a real redis-server: commands, pipelines, scripts, deadlines, loss, passwords. */
#include "t/tap.h"

#include <poll.h>
#include <sys/un.h>

#include "lib/redis/store_flow.h"
#include "lib/sys/clock.h"
#include "t/redis/redis_fixture.h"

#define TIMEOUT_MS 5000
#define SHORT_MS   100
/* What a loaded machine may add to a deadline. */
#define SLACK_MS 10000

static struct store *open_url(const char *url, const char *password_file)
{
    struct settings s = {.state_dir = "/nonexistent"};
    struct store *st;
    struct err err = {0};

    s.store.url = url;
    s.store.username = "";
    s.store.password_file = password_file;
    st = store_new(&s, &err);
    if (st == NULL)
        printf("# %s\n", err.text);
    return st;
}

static struct store *open_unix(const struct redis_fixture *f)
{
    char url[160];

    (void)snprintf(url, sizeof url, "unix://%s", f->socket);
    return open_url(url, "");
}

static redisReply *command(struct store *st, const char *text, int64_t timeout_ms, struct err *err)
{
    struct slice rest = slice_str(text), argv[16];
    size_t argc = 0;

    while (slice_word(&rest, " ", &argv[argc]))
        argc++;
    return store_command(st, argc, argv, timeout_ms, err);
}

static void add(struct store *st, const char *text)
{
    struct slice rest = slice_str(text), argv[16];
    size_t argc = 0;

    while (slice_word(&rest, " ", &argv[argc]))
        argc++;
    store_pipe_add(st, argc, argv);
}

static bool says(struct store *st, const char *text, const char *want)
{
    struct err err = {0};
    redisReply *r = command(st, text, TIMEOUT_MS, &err);
    bool good = r != NULL && r->str != NULL && strcmp(r->str, want) == 0;

    if (!good)
        printf("# %s: %s\n", text, r == NULL ? err.text : r->str != NULL ? r->str : "(no text)");
    freeReplyObject(r);
    return good;
}

static void wait_for_pause(const struct store *st)
{
    while (!store_is_worth_trying(st))
        clock_sleep_ms(5);
}

static void test_commands(const struct redis_fixture *f)
{
    struct slice set[3] = {SLICE("SET"), SLICE("k\0ey"), {"v\r\n\0", 4}};
    struct store *st = open_unix(f);
    struct err err = {0};
    redisReply *r;

    IS_INT(store_generation(st), 0, "no connection before the first command");
    OK(says(st, "PING", "PONG"), "PING over a Unix socket");
    IS_INT(store_generation(st), 1, "the first connection");
    IS_INT(strlen(store_run_id(st)), 40, "has a run id");
    OK((r = store_command(st, 3, set, TIMEOUT_MS, &err)) != NULL, "SET of binary key and value");
    freeReplyObject(r);
    set[0] = SLICE("GET");
    r = store_command(st, 2, set, TIMEOUT_MS, &err);
    OK(r != NULL && r->len == 4 && memcmp(r->str, "v\r\n\0", 4) == 0, "GET gives it back");
    freeReplyObject(r);
    r = command(st, "LPUSH list x", TIMEOUT_MS, &err);
    freeReplyObject(r);
    r = command(st, "HGETALL list", TIMEOUT_MS, &err);
    OK(r != NULL && r->type == REDIS_REPLY_ERROR, "a wrong type is an ordinary error reply");
    freeReplyObject(r);
    IS_INT(store_generation(st), 1, "and the connection stays");
    store_free(st);
}

static void test_addresses(const struct redis_fixture *f)
{
    static const char *const forms[] = {"redis://127.0.0.1:%u", "redis://localhost:%u/3",
                                        "redis://[::ffff:127.0.0.1]:%u/0"};
    char url[128];

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct store *st;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(url, sizeof url, forms[i], f->port);
#pragma GCC diagnostic pop
        st = open_url(url, "");
        OK(says(st, "PING", "PONG"), url);
        if (i == 1)
            OK(says(st, "SET only-in-3 yes", "OK"), "database 3");
        else
            OK(!says(st, "GET only-in-3", "yes"), "database 0");
        store_free(st);
    }
}

static void test_pipeline(const struct redis_fixture *f)
{
    enum { COUNT = 20000 };
    static redisReply *replies[COUNT];
    static char value[1001];
    struct store *st = open_unix(f);
    struct err err = {0};
    bool in_order = true;

    memset(value, 'v', 1000);
    for (int i = 0; i < COUNT; i++) {
        char number[16];
        struct slice argv[2] = {SLICE("ECHO"), slice_str(value)};

        (void)snprintf(number, sizeof number, "%06d", i);
        memcpy(value, number, 6);
        store_pipe_add(st, 2, argv);
    }
    IS_INT(store_pipe_count(st), COUNT, "20 MB of commands");
    IS_INT(store_pipe_run(st, replies, TIMEOUT_MS * 4, &err), 0, "go through in one trip");
    for (int i = 0; i < COUNT; i++) {
        in_order = in_order && replies[i]->len == 1000 &&
                   atoi(slice_to(slice_str(replies[i]->str), 6).ptr) == i;
        freeReplyObject(replies[i]);
    }
    OK(in_order, "replies are in order");
    IS_INT(store_pipe_count(st), 0, "the pipeline is empty again");
    IS_INT(store_pipe_run(st, replies, TIMEOUT_MS, &err), 0, "an empty one is no trip");
    store_free(st);
}

/* A flow of ECHO with the numbers from 0 on; where `bad` comes, an error in place of it. */
#define ECHO_BYTES 4096
struct echoes {
    struct store_keyed echo, wrong;
    int count, asked, taken, bad, end_at, died_at;
    int width;  /* of a number; 0: as wide as it is */
    int on_way; /* at most */
    bool in_order;
};

static bool echo_next(void *context, struct store *st)
{
    struct echoes *e = context;
    char number[ECHO_BYTES];

    if (e->asked == e->count)
        return false;
    (void)snprintf(number, sizeof number, "%0*d", e->width, e->asked);
    if (e->asked == e->died_at)
        add(st, "SHUTDOWN NOSAVE");
    else
        store_pipe_add_keyed(st, e->asked == e->bad ? &e->wrong : &e->echo, slice_str(number));
    e->asked++;
    return true;
}

static int echo_take(void *context, const struct flat_reply *reply, struct err *err)
{
    struct echoes *e = context;
    char number[ECHO_BYTES];
    bool is_bad = e->taken == e->bad;

    (void)snprintf(number, sizeof number, "%0*d", e->width, e->taken);
    e->on_way = e->asked - e->taken > e->on_way ? e->asked - e->taken : e->on_way;
    e->in_order =
        e->in_order && reply->count == 1 &&
        (is_bad ? reply->kind == FLAT_ERROR
                : reply->kind == FLAT_TEXT && slice_equal(reply->items[0], slice_str(number)));
    return e->taken++ == e->end_at ? err_set(err, 99, "enough") : 0;
}

static int flow(struct store *st, struct echoes *e, struct err *err)
{
    const struct store_flow f = {.next = echo_next, .take = echo_take, .context = e};
    int result;

    e->in_order = true;
    store_keyed_init(&e->echo, 2, (const struct slice[]){SLICE("ECHO"), SLICE_NONE});
    store_keyed_init(&e->wrong, 3,
                     (const struct slice[]){SLICE("ECHO"), SLICE_NONE, SLICE("too many")});
    result = store_flow_run(st, &f, TIMEOUT_MS * 4, err);
    store_keyed_fini(&e->echo);
    store_keyed_fini(&e->wrong);
    return result;
}

/* Replies are handed over as they come, while the next batch is on its way. */
static void test_flow(struct redis_fixture *f)
{
    struct store *st = open_unix(f);
    struct echoes all = {.count = 50000, .bad = 33333, .end_at = -1, .died_at = -1};
    struct echoes wide = {.count = 5000, .width = 4000, .bad = -1, .end_at = -1, .died_at = -1};
    struct echoes none = {.count = 0, .bad = -1, .end_at = -1, .died_at = -1};
    struct echoes ended = {.count = 50000, .bad = -1, .end_at = 5000, .died_at = -1};
    struct echoes died = {.count = 50000, .bad = -1, .end_at = -1, .died_at = 7000};
    struct err err = {0};

    IS_INT(flow(st, &all, &err), 0, "many commands, one by one");
    OK(all.taken == 50000 && all.in_order, "all replies, in order, one an error");
    IS_INT(flow(st, &none, &err), 0, "or none");
    IS_INT(flow(st, &wide, &err), 0, "with long replies");
    OK(wide.taken == 5000 && wide.in_order, "each whole");
    OK(all.on_way > 1000 && wide.on_way < 256, "of which fewer are on their way");
    OK(flow(st, &ended, &err) == -1 && err.code == 99 && strcmp(err.text, "enough") == 0,
       "who takes may end it");
    OK(ended.taken == 5001 && ended.in_order, "and is given no more");
    OK((size_t)ended.asked <= 5001 + 2 * STORE_FLOW_BATCH, "two batches at most are on their way");
    IS_INT(store_pipe_count(st), 0, "the pipeline is empty");
    OK(says(st, "PING", "PONG") && store_generation(st) == 1, "on the same connection");
    OK(flow(st, &died, &err) == -1 && strstr(err.text, f->socket) != NULL, err.text);
    OK(died.taken <= 7000 && died.in_order, "a server that dies: what it has answered");
    redis_fixture_kill(f);
    redis_fixture_run(f, "");
    wait_for_pause(st);
    OK(says(st, "PING", "PONG"), "and then all is well");
    store_free(st);
}

static const struct script script_a = {"a", "return redis.call('INCRBY', KEYS[1], ARGV[1])"};
static const struct script script_b = {"b", "return redis.call('GET', KEYS[1])"};

static int64_t call_script(struct store *st, struct err *err)
{
    struct slice argv[2] = {SLICE("counter"), SLICE("5")};
    redisReply *r = store_script(st, &script_a, 1, 2, argv, TIMEOUT_MS, err);
    int64_t value = r != NULL && r->type == REDIS_REPLY_INTEGER ? r->integer : -1;

    freeReplyObject(r);
    return value;
}

static void test_scripts(const struct redis_fixture *f)
{
    struct slice argv[2] = {SLICE("counter"), SLICE("5")};
    struct store *st = open_unix(f), *other = open_unix(f);
    struct err err = {0};
    redisReply *r[5];

    OK(says(st, "SCRIPT FLUSH", "OK"), "the server knows no script");
    IS_INT(call_script(st, &err), 5, "EVAL after NOSCRIPT");
    IS_INT(call_script(st, &err), 10, "EVALSHA");
    for (int i = 0; i < 4; i++) {
        OK(i != 2 || says(other, "SCRIPT FLUSH", "OK"), "again it knows none");
        store_pipe_trust_scripts(st);
        store_pipe_add_script(st, &script_a, 1, 2, argv);
        OK(store_pipe_run(st, r, TIMEOUT_MS, &err) == 0 && store_is_noscript(r[0]) == (i == 2),
           "a pipeline that takes it for known, and the next if it was not");
        freeReplyObject(r[0]);
    }
    store_free(other);
    OK(says(st, "GET counter", "25") && says(st, "SET counter 10", "OK"), "each once");
    store_pipe_add_script(st, &script_a, 1, 2, argv);
    store_pipe_add_script(st, &script_b, 1, 1, argv);
    store_pipe_add_script(st, &script_a, 1, 2, argv);
    add(st, "GET counter");
    store_pipe_add_script(st, &script_b, 1, 1, argv);
    IS_INT(store_pipe_run(st, r, TIMEOUT_MS, &err), 0, "scripts in a pipeline");
    IS_INT(r[0]->integer, 15, "run once");
    IS_STR(r[1]->str, "15", "in their order");
    IS_INT(r[2]->integer, 20, "the second time by EVALSHA");
    IS_STR(r[3]->str, "20", "with plain commands between");
    IS_STR(r[4]->str, "20", "and the other script");
    for (size_t i = 0; i < 5; i++)
        freeReplyObject(r[i]);
    store_free(st);
}

/* The pause begins with 50 ms, which a slow machine may outlast, and grows with each failure. */
static bool is_not_waited_for(struct store *st)
{
    for (int i = 0; i < 100; i++) {
        int64_t begin = clock_monotonic_ms();
        struct err err = {0};

        if (command(st, "GET first", SHORT_MS, &err) != NULL)
            return false;
        if (strstr(err.text, "unreachable") != NULL && clock_monotonic_ms() - begin < SHORT_MS)
            return true;
    }
    return false;
}

static void test_stall(const struct redis_fixture *f)
{
    struct store *st = open_unix(f);
    struct err err = {0};
    int64_t begin;

    OK(says(st, "SET first one", "OK") && says(st, "SET second two", "OK"), "two values");
    (void)kill(f->pid, SIGSTOP);
    begin = clock_monotonic_ms();
    OK(command(st, "GET first", SHORT_MS, &err) == NULL, "a stalled server gives no reply");
    OK(clock_monotonic_ms() - begin < SHORT_MS + SLACK_MS, "and costs the deadline");
    OK(strstr(err.text, "no answer in time") != NULL && strstr(err.text, f->socket) != NULL,
       err.text);
    OK(is_not_waited_for(st), "in the pause a call fails at once");
    wait_for_pause(st);
    begin = clock_monotonic_ms();
    OK(command(st, "GET first", SHORT_MS, &err) == NULL,
       "a connection that gets no greeting fails");
    OK(clock_monotonic_ms() - begin < SHORT_MS + SLACK_MS, "at its deadline");
    (void)kill(f->pid, SIGCONT);
    wait_for_pause(st);
    OK(says(st, "GET second", "two"), "the late reply is not taken for the next one's");
    OK(store_generation(st) > 1, "it is another connection");
    store_free(st);
}

static void test_restart(struct redis_fixture *f)
{
    struct store *st = open_unix(f);
    struct err err = {0};
    redisReply *replies[3] = {NULL, NULL, NULL};
    char run_id[64];

    OK(says(st, "PING", "PONG"), "connected");
    (void)snprintf(run_id, sizeof run_id, "%s", store_run_id(st));
    redis_fixture_kill(f);
    redis_fixture_run(f, "");
    OK(says(st, "PING", "PONG"), "a restart between two commands is not noticed");
    IS_INT(store_generation(st), 2, "but counts");
    OK(strcmp(run_id, store_run_id(st)) != 0, "and has another run id");
    add(st, "SET x 1");
    add(st, "SHUTDOWN NOSAVE");
    add(st, "SET x 2");
    IS_INT(store_pipe_run(st, replies, TIMEOUT_MS, &err), -1, "a server that dies in a pipeline");
    OK(replies[0] == NULL && replies[1] == NULL, "gives no reply at all");
    IS_INT(store_pipe_count(st), 0, "the pipeline is empty");
    wait_for_pause(st);
    OK(command(st, "PING", TIMEOUT_MS, &err) == NULL, "nobody listens");
    OK(!store_is_worth_trying(st), "the pause begins");
    redis_fixture_kill(f);
    redis_fixture_run(f, "");
    wait_for_pause(st);
    OK(says(st, "PING", "PONG"), "after it all is well");
    store_free(st);
}

static void test_passwords(struct redis_fixture *f)
{
    char url[160], file[128];
    struct store *st;
    struct err err = {0};
    FILE *out;

    redis_fixture_kill(f);
    redis_fixture_run(f, "s3cr/et");
    st = open_unix(f);
    OK(command(st, "PING", TIMEOUT_MS, &err) == NULL && strstr(err.text, "password_file") != NULL,
       err.text);
    store_free(st);
    (void)snprintf(url, sizeof url, "redis://:s3cr%%2Fet@127.0.0.1:%u", f->port);
    st = open_url(url, "");
    OK(says(st, "PING", "PONG"), "password in the URL");
    store_free(st);
    (void)snprintf(url, sizeof url, "redis://default:wrong@127.0.0.1:%u", f->port);
    st = open_url(url, "");
    OK(command(st, "PING", TIMEOUT_MS, &err) == NULL, "a wrong password is refused");
    OK(strstr(err.text, "WRONGPASS") != NULL && strstr(err.text, ":wrong") == NULL, err.text);
    store_free(st);
    (void)snprintf(file, sizeof file, "%s/password", f->dir);
    st = open_url(url, file);
    OK(command(st, "PING", TIMEOUT_MS, &err) == NULL && strstr(err.text, file) != NULL, err.text);
    out = fopen(file, "w");
    (void)fputs("s3cr/et\n", out);
    (void)fclose(out);
    wait_for_pause(st);
    OK(says(st, "PING", "PONG"),
       "the file's password beats the URL's, and is read at each connect");
    store_free(st);
}

/* A byte now and then, and never an end. */
static void drip(int client)
{
    while (write(client, "1", 1) == 1)
        clock_sleep_ms(5);
}

/* A server that greets well and then sends `canned` for the first command; after "+" it drips. */
static pid_t start_liar(const char *path, const char *canned)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), client;
    static const char greeting[] = "$0\r\n\r\n+PONG\r\n";
    char junk[4096];
    pid_t pid;

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    (void)unlink(path);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 5) != 0)
        redis_fixture_die("liar");
    pid = fork();
    if (pid != 0) {
        (void)close(fd);
        return pid;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    client = accept(fd, NULL, NULL);
    if (read(client, junk, sizeof junk) > 0 && write(client, greeting, sizeof greeting - 1) > 0 &&
        read(client, junk, sizeof junk) > 0 && write(client, canned, strlen(canned)) > 0) {
        if (strcmp(canned, "+") == 0)
            drip(client);
        while (read(client, junk, sizeof junk) > 0)
            continue;
    }
    _exit(0);
}

static void test_liars(const struct redis_fixture *f)
{
    static const char *const canned[] = {"HTTP/1.1 400 Bad Request\r\n", "+one\r\n+two\r\n",
                                         "$2147483648\r\n", "$100\r\ntorn", "+"};
    char path[80], url[160];

    (void)snprintf(path, sizeof path, "%s/liar", f->dir);
    (void)snprintf(url, sizeof url, "unix://%s", path);
    for (size_t i = 0; i < sizeof canned / sizeof canned[0]; i++) {
        struct store *st = open_url(url, "");
        pid_t pid = start_liar(path, canned[i]);
        int64_t begin = clock_monotonic_ms();
        struct err err = {0};

        OK(command(st, "GET x", SHORT_MS * 3, &err) == NULL, "a server that lies is not believed");
        OK(clock_monotonic_ms() - begin < SHORT_MS * 3 + SLACK_MS, "nor waited for");
        OK(err.code == 69, err.text);
        store_free(st);
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
    }
}

static void test_big(const struct redis_fixture *f)
{
    struct store *st = open_unix(f);
    struct slice big[3] = {SLICE("SET"), SLICE("big"), {NULL, (size_t)65 << 20}};
    struct err err = {0};
    redisReply *r;

    big[2].ptr = calloc(1, big[2].len);
    OK(store_command(st, 3, big, TIMEOUT_MS, &err) == NULL, err.text);
    OK(store_is_worth_trying(st), "commands that are too large are not the server's fault");
    r = command(st, "SETRANGE big 68157440 x", TIMEOUT_MS, &err);
    freeReplyObject(r);
    OK(command(st, "GET big", TIMEOUT_MS * 40, &err) == NULL && strstr(err.text, "64 MB") != NULL,
       err.text);
    wait_for_pause(st);
    OK(says(st, "PING", "PONG"), "and afterwards all is well");
    r = command(st, "DEL big", TIMEOUT_MS, &err);
    freeReplyObject(r);
    free((char *)big[2].ptr);
    store_free(st);
}

int main(void)
{
    struct redis_fixture f;

    (void)signal(SIGPIPE, SIG_IGN);
    redis_fixture_start(&f);
    test_commands(&f);
    test_addresses(&f);
    test_pipeline(&f);
    test_scripts(&f);
    test_stall(&f);
    test_liars(&f);
    test_big(&f);
    test_flow(&f);
    test_restart(&f);
    test_passwords(&f);
    redis_fixture_stop(&f);
    return tap_done();
}
