/* Sources that can only be asked: a socket map that answers, stalls and tears replies, tables of
 * Postfix, POP-before-SMTP keys; the cache. */
#include "t/tap.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "lib/core/socketmap.h"
#include "lib/sources/resolver.h"
#include "lib/sys/clock.h"
#include "t/redis/redis_fixture.h"
#include "t/sources/source_fixture.h"

enum { TOGETHER = 16, SLOW_US = 1000000, KEY_MS = 5000 };

static struct redis_fixture redis;
static char url[160], map_path[96];
static _Atomic int64_t skew_ms;   /* the clock is ahead by this much */
static _Atomic int64_t frozen_ms; /* > 0: it stands there, but for the skew */

int64_t __real_clock_monotonic_ms(void);
int64_t __wrap_clock_monotonic_ms(void);

int64_t __wrap_clock_monotonic_ms(void)
{
    return (frozen_ms > 0 ? frozen_ms : __real_clock_monotonic_ms()) + skew_ms;
}

/* --- the map's server, in a process of its own
 * ---------------------------------------------------- */

static _Atomic int *lookup_count; /* shared with it */

/* What it sends for "name key": as a netstring, or after = as it stands here. */
static void map_reply(struct slice request, struct buf *out)
{
    static const struct {
        const char *request, *reply;
    } known[] = {
        {"d hosted.test", "OK"},
        {"d owned.test", "OK owner.test"},
        {"d .wild.test", "OK OK"},
        {"d .owned-wild.test", "OK owner.test"},
        {"d dot.test", "OK .wild.test"},
        {"f fwd@hosted.test", "OK a@x.org, b@y.org"},
        {"f plus@hosted.test", "OK p@x.org"},
        {"f @hosted.test", "OK all@x.org"},
        {"l joe", "OK joe@hosted.test"},
        {"f temp@hosted.test", "TEMP database up"},
        {"f perm@hosted.test", "PERM x"},
        {"f torn@hosted.test", "=18:OK a@x"},
        {"f junk@hosted.test", "=hello"},
        {"f two@hosted.test", "=8:NOTFOUND,8:NOTFOUND,"},
        {"f huge@hosted.test", "=99999999:OK "},
        {"f stall@hosted.test", "="},
        {"f slow@hosted.test", "OK s@x.org"},
        {"f slow-fault@hosted.test", "TEMP database up"},
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (slice_equal(request, slice_str(known[i].request))) {
            if (known[i].reply[0] == '=')
                buf_add_str(out, known[i].reply + 1);
            else
                buf_addf(out, "%zu:%s,", strlen(known[i].reply), known[i].reply);
            return;
        }
    buf_add_str(out, "9:NOTFOUND ,");
}

/* Until the client goes, or a key asks for the connection to be closed after its reply. */
static void map_serve(int client)
{
    struct buf reply;
    char text[4096];
    ssize_t n;

    buf_init(&reply, sizeof text);
    while ((n = read(client, text, sizeof text)) > 0) {
        struct slice rest = {text, (size_t)n}, request = SLICE_NONE;

        if (socketmap_netstring_take(&rest, sizeof text, &request) != 1)
            break;
        (void)atomic_fetch_add(lookup_count, 1);
        if (slice_starts(request, SLICE("f slow")))
            (void)usleep(SLOW_US);
        buf_reset(&reply);
        map_reply(request, &reply);
        if (write(client, reply.data, reply.len) < 0 ||
            slice_equal(request, SLICE("f torn@hosted.test")) ||
            slice_equal(request, SLICE("f close@hosted.test")))
            break;
    }
    buf_fini(&reply);
    (void)close(client);
}

static pid_t map_start(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pid_t pid;

    (void)unlink(map_path);
    memcpy(address.sun_path, map_path, strlen(map_path) + 1);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 100) != 0)
        redis_fixture_die("socket map");
    (void)fflush(stdout);
    pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)signal(SIGCHLD, SIG_IGN);
        for (;;) {
            int client = accept(fd, NULL, NULL);

            if (client >= 0 && fork() == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                map_serve(client);
                _exit(0);
            }
            (void)close(client);
        }
    }
    (void)close(fd);
    return pid;
}

static void map_stop(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

/* --- asking
 * --------------------------------------------------------------------------------------- */

/* The answer to one question as text: "-" not found, "! why", else owner, targets or login. */
static const char *ask(struct resolver *r, enum question_kind kind, const char *key)
{
    static _Thread_local char text[512];
    struct err err = {0};
    struct arena arena;
    struct answers answers;
    const struct answer *a;
    size_t len = 0;

    arena_init(&arena, 1 << 20);
    answers_init(&answers, &arena);
    (void)answers_get(&answers, kind, slice_str(key));
    if (resolver_answer(r, &answers, &err) != 0) {
        (void)snprintf(text, sizeof text, "! %.400s", err.text);
    } else {
        a = answers_get(&answers, kind, slice_str(key));
        (void)snprintf(text, sizeof text, "%s", a == NULL ? "(open)" : a->found ? "" : "-");
        if (a != NULL && a->found && kind != QUESTION_DOMAIN && a->targets.count > 0)
            for (size_t i = 0; i < a->targets.count; i++)
                len += (size_t)snprintf(text + len, sizeof text - len, "%s%.*s", i > 0 ? " " : "",
                                        SLICE_FMT(a->targets.list[i]));
        else if (a != NULL && a->found)
            (void)snprintf(text, sizeof text, "%.*s",
                           SLICE_FMT(kind == QUESTION_LOGIN || kind == QUESTION_POPAUTH ? a->login
                                     : a->wildcard.len > 0 ? a->wildcard
                                                           : a->owner));
    }
    answers_fini(&answers);
    arena_fini(&arena);
    return text;
}

static struct resolver *resolver(void)
{
    struct err err = {0};
    struct resolver *r = resolver_new(&settings, &err);

    OK(r != NULL, "a resolver");
    if (r == NULL)
        printf("# %s\n", err.text);
    return r;
}

static void use_map(void)
{
    static char domains[160], forwards[160], logins[160];

    (void)snprintf(domains, sizeof domains, "socketmap:unix:%s:d", map_path);
    (void)snprintf(forwards, sizeof forwards, "socketmap:unix:%s:f", map_path);
    (void)snprintf(logins, sizeof logins, "socketmap:unix:%s:l", map_path);
    use_sources(domains, forwards, logins);
}

static void test_map(void)
{
    pid_t map = map_start();
    struct resolver *r = resolver();
    int before;

    IS_STR(ask(r, QUESTION_DOMAIN, "hosted.test"), "", "a domain without an owner");
    IS_STR(ask(r, QUESTION_DOMAIN, "owned.test"), "owner.test", "one with an owner");
    IS_STR(ask(r, QUESTION_DOMAIN, "a.b.wild.test"), ".wild.test", "a wildcard without an owner");
    IS_STR(ask(r, QUESTION_DOMAIN, "a.b.owned-wild.test"), "owner.test", "one with an owner");
    IS_STR(ask(r, QUESTION_DOMAIN, "dot.test"), "", "a wildcard is no owner");
    IS_STR(ask(r, QUESTION_DOMAIN, "other.test"), "-", "one that is not there");
    IS_STR(ask(r, QUESTION_FORWARD, "fwd@hosted.test"), "a@x.org b@y.org", "a forwarder");
    IS_STR(ask(r, QUESTION_FORWARD, "plus+tag@hosted.test"), "p@x.org", "with an extension");
    IS_STR(ask(r, QUESTION_FORWARD, "any@hosted.test"), "all@x.org", "catch-all");
    IS_STR(ask(r, QUESTION_FORWARD, "any@other.test"), "-", "none");
    IS_STR(ask(r, QUESTION_LOGIN, "joe"), "joe@hosted.test", "a login");
    before = *lookup_count;
    IS_STR(ask(r, QUESTION_DOMAIN, "owned.test"), "owner.test", "asked again");
    IS_STR(ask(r, QUESTION_DOMAIN, "other.test"), "-", "not found, again");
    IS_INT(*lookup_count, before, "the cache answers");
    skew_ms += 31000;
    IS_STR(ask(r, QUESTION_DOMAIN, "owned.test"), "owner.test", "after 30 s");
    IS_INT(*lookup_count, before + 1, "the map is asked again");
    IS_STR(ask(r, QUESTION_FORWARD, "close@hosted.test"), "all@x.org",
           "a map that closes after each reply");
    resolver_free(r);
    map_stop(map);
}

static void test_faults(void)
{
    static const char *const bad[] = {"temp", "perm", "torn", "junk", "two", "huge"};
    pid_t map = map_start();
    struct resolver *r = resolver(), *after;
    int64_t begin;
    int before;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char key[64];

        (void)snprintf(key, sizeof key, "%s@hosted.test", bad[i]);
        OK(ask(r, QUESTION_FORWARD, key)[0] == '!', ask(r, QUESTION_FORWARD, key));
        skew_ms += 6000;
        IS_STR(ask(r, QUESTION_FORWARD, "fwd@hosted.test"), "a@x.org b@y.org",
               "others are not disturbed");
        skew_ms += 31000;
    }
    begin = __real_clock_monotonic_ms();
    before = *lookup_count;
    OK(ask(r, QUESTION_FORWARD, "stall@hosted.test")[0] == '!', "a map that stalls");
    OK(__real_clock_monotonic_ms() - begin >= KEY_MS, "costs its deadline");
    IS_INT(*lookup_count, before + 1, "once");
    frozen_ms = begin + KEY_MS; /* the earliest time at which that was over */
    OK(ask(r, QUESTION_FORWARD, "new@hosted.test")[0] == '!', "then it is left alone");
    IS_INT(*lookup_count, before + 1, "for a moment");
    frozen_ms = 0;
    IS_STR(ask(r, QUESTION_FORWARD, "fwd@hosted.test"), "a@x.org b@y.org",
           "what is known is used meanwhile");
    map_stop(map);
    skew_ms += 6000;
    IS_STR(ask(r, QUESTION_FORWARD, "fwd@hosted.test"), "a@x.org b@y.org", "and while it is down");
    OK(strstr(ask(r, QUESTION_FORWARD, "new@hosted.test"), map_path) != NULL,
       "what is not known is an error");
    after = resolver();
    OK(ask(after, QUESTION_FORWARD, "fwd@hosted.test")[0] == '!', "a new resolver knows nothing");
    resolver_inherit(after, r);
    resolver_free(r);
    skew_ms += 6000;
    IS_STR(ask(after, QUESTION_FORWARD, "fwd@hosted.test"), "a@x.org b@y.org",
           "but what it inherits");
    map = map_start();
    skew_ms += 6000;
    IS_STR(ask(after, QUESTION_FORWARD, "new@hosted.test"), "all@x.org", "it is back");
    resolver_free(after);
    map_stop(map);
}

static void *ask_many(void *resolver)
{
    size_t good = 0;

    for (int i = 0; i < 300; i++) {
        char key[64];

        (void)snprintf(key, sizeof key, "u%d@hosted.test", i % 50);
        good += strcmp(ask(resolver, QUESTION_FORWARD, key), "all@x.org") == 0;
        good += strcmp(ask(resolver, QUESTION_DOMAIN, "owned.test"), "owner.test") == 0;
    }
    return (void *)good;
}

/* The sum of what they return. */
static size_t run_threads(size_t count, void *(*work)(void *), void *context)
{
    pthread_t threads[TOGETHER];
    size_t sum = 0;

    for (size_t i = 0; i < count; i++)
        (void)pthread_create(&threads[i], NULL, work, context);
    for (size_t i = 0; i < count; i++) {
        void *part;

        (void)pthread_join(threads[i], &part);
        sum += (size_t)part;
    }
    return sum;
}

static void test_threads(void)
{
    pid_t map = map_start();
    struct resolver *r = resolver();

    IS_INT(run_threads(8, ask_many, r), 8 * 600, "eight threads get the right answers");
    resolver_free(r);
    map_stop(map);
}

static pthread_barrier_t all_there;

struct asker {
    struct resolver *resolver;
    const char *key;
    char first; /* of the answer */
};

static void *ask_once(void *context)
{
    const struct asker *a = context;

    (void)pthread_barrier_wait(&all_there); /* nobody comes when the first one has its answer */
    return (void *)(size_t)(ask(a->resolver, QUESTION_FORWARD, a->key)[0] == a->first);
}

static void test_together(void)
{
    pid_t map = map_start();
    struct resolver *r = resolver();
    struct asker slow = {r, "slow@hosted.test", 's'}, fault = {r, "slow-fault@hosted.test", '!'};

    *lookup_count = 0;
    (void)pthread_barrier_init(&all_there, NULL, TOGETHER);
    IS_INT(run_threads(TOGETHER, ask_once, &slow), TOGETHER, "many ask for one key");
    IS_INT(*lookup_count, 1, "of whom one makes the look-up");
    IS_INT(run_threads(TOGETHER, ask_once, &fault), TOGETHER, "a map that fails: all hear of it");
    IS_INT(*lookup_count, 2, "by one look-up");
    resolver_free(r);
    map_stop(map);
}

static void test_postfix(void)
{
    char source[80], text[1024];
    struct resolver *r;

    (void)snprintf(source, sizeof source, "postfix:%s", redis.dir);
    write_file("master.cf", "");
    write_file("virt", "/^re(.*)@valias\\.test$/ far$1@x.org, local\n/^bare$/ bare@x.org\n"
                       "if !/^alice@pat\\.test$/\n/@pat\\.test$/ archive@x.org\nendif\n"
                       "/^carol@whole\\.test$/ carol@x.org\n");
    write_file("alias", "/^list-(.*)$/ $1@y.org, |/bin/cmd\n");
    write_file("doms", "/^d[0-9]\\.test$/ x.y\n");
    (void)snprintf(text, sizeof text,
                   "compatibility_level = 3.6\nmyhostname = host.test\nmydestination = host.test\n"
                   "recipient_delimiter = +\n"
                   "virtual_alias_maps = regexp:%s/virt\nalias_maps = regexp:%s/alias\n"
                   "virtual_alias_domains = valias.test regexp:%s/doms\n",
                   redis.dir, redis.dir, redis.dir);
    write_file("main.cf", text);
    use_sources(source, source, "");
    r = resolver();
    if (r == NULL)
        return;
    IS_STR(ask(r, QUESTION_DOMAIN, "d1.test"), "",
           "a domain of a regexp table, charged as it appears");
    IS_STR(ask(r, QUESTION_DOMAIN, "sub.d1.test"), "-", "no wildcards");
    IS_STR(ask(r, QUESTION_FORWARD, "re1@valias.test"), "far1@x.org local@host.test",
           "virtual_alias_maps");
    IS_STR(ask(r, QUESTION_FORWARD, "bare@host.test"), "-",
           "patterns are asked for whole addresses, not for a bare name");
    IS_STR(ask(r, QUESTION_FORWARD, "bob@pat.test"), "archive@x.org", "a catch-all by pattern");
    IS_STR(ask(r, QUESTION_FORWARD, "alice@pat.test"), "-",
           "who is spared is not asked as @domain");
    IS_STR(ask(r, QUESTION_FORWARD, "carol@whole.test"), "carol@x.org", "a pattern of one address");
    IS_STR(ask(r, QUESTION_FORWARD, "carol+x@whole.test"), "-", "nor without the extension");
    IS_STR(ask(r, QUESTION_FORWARD, "list-b+x@host.test"), "b+x@y.org",
           "local(8) asks for its aliases as they are");
    IS_STR(ask(r, QUESTION_FORWARD, "list-a@host.test"), "a@y.org", "alias_maps");
    IS_STR(ask(r, QUESTION_FORWARD, "none@valias.test"), "-", "not found");
    write_file("main.cf", "this is = not a\n good = $main.cf\n mydestination = ${x\n");
    (void)snprintf(text, sizeof text, "%s/virt", redis.dir);
    (void)unlink(text);
    OK(strstr(ask(r, QUESTION_FORWARD, "other@valias.test"), "/virt") != NULL,
       "a table that is gone is an error");
    resolver_free(r);
}

/* Patterns and tables of Postfix's copies, the first that knows an address. */
static void test_copies(void)
{
    char source[80], text[1024];
    struct resolver *r;

    (void)snprintf(source, sizeof source, "postfix:%s", redis.dir);
    write_file("rcpt", "/^watch@hosted\\.test$/ copy@x.org\n/^@hosted\\.test$/ none@x.org\n"
                       "/@far\\.test$/ away\n");
    write_file("from", "/^(.*)@hosted\\.test$/ $1-sent@x.org\n");
    (void)snprintf(text, sizeof text,
                   "compatibility_level = 3.6\nmyhostname = host.test\nmydestination = host.test\n"
                   "recipient_delimiter = +\nmyorigin = host.test\n"
                   "recipient_bcc_maps = inline:{listed@hosted.test=x@x.org} regexp:%s/rcpt\n"
                   "sender_bcc_maps = regexp:%s/from\n",
                   redis.dir, redis.dir);
    write_file("main.cf", text);
    use_sources(source, source, "");
    r = resolver();
    if (r == NULL)
        return;
    IS_STR(ask(r, QUESTION_RECIPIENT_COPY, "watch@hosted.test"), "copy@x.org", "a recipient");
    IS_STR(ask(r, QUESTION_RECIPIENT_COPY, "watch+x@hosted.test"), "-", "the whole address alone");
    IS_STR(ask(r, QUESTION_RECIPIENT_COPY, "u@far.test"), "away@host.test", "$myorigin");
    IS_STR(ask(r, QUESTION_SENDER_COPY, "watch@hosted.test"), "watch-sent@x.org",
           "a sender's is a question of its own");
    IS_STR(ask(r, QUESTION_SENDER_COPY, "u@far.test"), "-", "none");
    resolver_free(r);
}

static void set(const char *key, const char *value)
{
    struct slice argv[3] = {SLICE("SET"), slice_str(key), slice_str(value)};
    struct store *st = store_new(&settings, NULL);

    freeReplyObject(store_command(st, 3, argv, 5000, NULL));
    store_free(st);
}

static void test_popauth(void)
{
    struct resolver *r;

    use_sources("", "", "");
    r = resolver();
    frozen_ms = __real_clock_monotonic_ms();
    set("tg:popauth:{192.0.2.1}", "joe");
    IS_STR(ask(r, QUESTION_POPAUTH, "192.0.2.1"), "joe", "a login");
    IS_STR(ask(r, QUESTION_POPAUTH, "192.0.2.2"), "-", "none");
    set("tg:popauth:{192.0.2.2}", "jim");
    IS_STR(ask(r, QUESTION_POPAUTH, "192.0.2.2"), "-", "within a second still none");
    skew_ms += 1100;
    IS_STR(ask(r, QUESTION_POPAUTH, "192.0.2.2"), "jim", "then there is");
    frozen_ms = 0;
    redis_fixture_kill(&redis);
    skew_ms += 61000;
    IS_STR(ask(r, QUESTION_POPAUTH, "192.0.2.2"), "jim", "Redis away: what is known");
    IS_STR(ask(r, QUESTION_POPAUTH, "192.0.2.3"), "-", "and nobody else");
    redis_fixture_run(&redis, "");
    resolver_free(r);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    lookup_count =
        mmap(NULL, sizeof *lookup_count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    redis_fixture_start(&redis);
    (void)snprintf(url, sizeof url, "unix://%s", redis.socket);
    (void)snprintf(map_path, sizeof map_path, "%s/map", redis.dir);
    settings.state_dir = source_dir = redis.dir;
    settings.store.url = url;
    settings.store.prefix = "tg";
    settings.accounting.delimiter = "+";
    settings.store.username = settings.store.password_file = "";
    settings.store.timeout_ms = 2000;
    use_map();
    test_map();
    test_faults();
    test_threads();
    test_together();
    test_postfix();
    test_copies();
    test_popauth();
    redis_fixture_stop(&redis);
    return tap_done();
}
