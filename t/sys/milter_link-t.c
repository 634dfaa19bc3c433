#include "lib/sys/milter_link.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/sys/clock.h"
#include "lib/sys/net.h"
#include "t/tap.h"

/* A milter in a thread: for each packet it gets it says what the script has for that command. */
struct script {
    char command;
    struct slice answer; /* empty: none; "X": close */
};

struct fake {
    int listener;
    const struct script *script;
    size_t steps;
    bool in_bytes; /* answers one byte a write */
    pthread_t thread;
};

static const struct slice negotiation = {"\0\0\0\15O\0\0\0\6\0\0\1\xff\0\x10\0\0", 17};

static void say(int fd, struct slice text, bool in_bytes)
{
    for (size_t i = 0; i < text.len; i += in_bytes ? 1 : text.len)
        (void)!write(fd, text.ptr + i, in_bytes ? 1 : text.len);
}

static bool read_all(int fd, char *into, size_t len)
{
    for (size_t got = 0; got < len;) {
        ssize_t n = read(fd, into + got, len - got);

        if (n <= 0)
            return false;
        got += (size_t)n;
    }
    return true;
}

static void *fake_run(void *data)
{
    static char packet[1 << 17];
    struct fake *f = data;
    int fd = accept(f->listener, NULL, NULL);
    size_t step = 0;

    while (read_all(fd, packet, 4)) {
        struct slice head = {packet, 4};
        uint32_t len;

        if (!slice_take_u32(&head, &len) || !read_all(fd, packet, len))
            break;
        if (packet[0] == MILTER_OPTNEG)
            say(fd, negotiation, f->in_bytes);
        else if (step < f->steps && packet[0] == f->script[step].command) {
            if (slice_equal(f->script[step].answer, SLICE("X")))
                break;
            say(fd, f->script[step++].answer, f->in_bytes);
        }
    }
    (void)close(fd);
    return NULL;
}

static char socket_path[64], where[80];

static void fake_start(struct fake *f, const struct script *script, size_t steps)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    *f = (struct fake){.script = script, .steps = steps};
    (void)unlink(socket_path);
    (void)snprintf(a.sun_path, sizeof a.sun_path, "%s", socket_path);
    f->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(f->listener, (struct sockaddr *)&a, sizeof a) != 0 || listen(f->listener, 5) != 0)
        exit(1);
}

static void fake_go(struct fake *f)
{
    if (pthread_create(&f->thread, NULL, fake_run, f) != 0)
        exit(1);
}

static void fake_end(struct fake *f)
{
    (void)pthread_join(f->thread, NULL);
    (void)close(f->listener);
}

static void test_message(bool in_bytes)
{
    static const struct script script[] = {
        {'M', {"\0\0\0\1c", 5}},
        {'E', {"\0\0\0\13hX-A\0value\0\0\0\0\1p\0\0\0\5qwhy\0\0\0\0\1c", 34}},
    };
    struct milter_link l;
    struct milter_answer a;
    struct fake f;
    struct err err = {0};
    char kinds[8] = "";
    size_t n = 0;

    fake_start(&f, script, 2);
    f.in_bytes = in_bytes;
    fake_go(&f);
    IS_INT(milter_link_open(&l, where, 5000, &err), 0, "connected and negotiated");
    milter_client_mail(&l.client, SLICE("<>"), NULL, 0);
    OK(milter_link_next(&l, 5000, &a, &err) == 1 && a.kind == 'c', "MAIL answered");
    milter_client_eom(&l.client);
    do {
        if (milter_link_next(&l, 5000, &a, &err) != 1)
            break;
        kinds[n++] = a.kind;
    } while (!a.is_final && n < sizeof kinds - 1);
    IS_STR(kinds, "hqc", "all answers of the end of message, in order");
    milter_client_abort(&l.client);
    IS_INT(milter_link_flush(&l, 5000, &err), 0, "abort sent");
    milter_link_close(&l);
    fake_end(&f);
}

static void test_close_and_silence(void)
{
    static const struct script closes[] = {{'M', {"X", 1}}}, silent[] = {{'M', {"", 0}}};
    struct milter_link l;
    struct milter_answer a;
    struct fake f;
    struct err err = {0};
    int64_t start;

    fake_start(&f, closes, 1);
    fake_go(&f);
    IS_INT(milter_link_open(&l, where, 5000, &err), 0, "connected");
    milter_client_mail(&l.client, SLICE("<>"), NULL, 0);
    IS_INT(milter_link_next(&l, 5000, &a, &err), -1, "the milter went away");
    IS_STR(err.text, "milter: closed the connection", "and it is said");
    IS_INT(milter_link_next(&l, 5000, &a, &err), -1, "and stays away");
    milter_link_close(&l);
    fake_end(&f);

    fake_start(&f, silent, 1);
    fake_go(&f);
    IS_INT(milter_link_open(&l, where, 5000, &err), 0, "connected");
    milter_client_mail(&l.client, SLICE("<>"), NULL, 0);
    start = clock_monotonic_ms();
    IS_INT(milter_link_next(&l, 60, &a, &err), -1, "the milter is silent");
    IS_STR(err.text, "milter: no answer in time", "and it is said");
    OK(clock_monotonic_ms() - start < 20000, "in good time");
    milter_link_close(&l);
    fake_end(&f);
}

/* A milter that does not even accept: the connection is in the backlog, the negotiation has its
 * deadline. */
static void test_no_milter(void)
{
    struct milter_link l;
    struct fake f;
    struct err err = {0};

    fake_start(&f, NULL, 0);
    IS_INT(milter_link_open(&l, where, 60, &err), -1, "nobody accepts");
    milter_link_close(&l);
    (void)close(f.listener);
    IS_INT(milter_link_open(&l, where, 60, &err), -1, "nobody listens");
    OK(strstr(err.text, socket_path) != NULL, "the error names the socket");
    milter_link_close(&l);
    IS_INT(milter_link_open(&l, "inet:nonsense", 60, &err), -1, "no address at all");
    milter_link_close(&l);
}

static void test_inet(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM, 0), fd;
    socklen_t len = sizeof a;
    char text[64];

    (void)bind(listener, (struct sockaddr *)&a, sizeof a);
    (void)listen(listener, 5);
    (void)getsockname(listener, (struct sockaddr *)&a, &len);
    (void)snprintf(text, sizeof text, "inet:%d@127.0.0.1", ntohs(a.sin_port));
    fd = net_connect(text, clock_monotonic_ms() + 5000, NULL);
    OK(fd >= 0, "inet:port@host");
    (void)close(fd);
    (void)snprintf(text, sizeof text, "inet:127.0.0.1:%d", ntohs(a.sin_port));
    fd = net_connect(text, clock_monotonic_ms() + 5000, NULL);
    OK(fd >= 0, "inet:host:port");
    (void)close(fd);
    (void)close(listener);
}

int main(void)
{
    char dir[] = "/tmp/tg-milter-link-XXXXXX";

    if (mkdtemp(dir) == NULL)
        return 1;
    (void)snprintf(socket_path, sizeof socket_path, "%s/s", dir);
    (void)snprintf(where, sizeof where, "unix:%s", socket_path);
    test_message(false);
    test_message(true);
    test_close_and_silence();
    test_no_milter();
    test_inet();
    (void)unlink(socket_path);
    (void)rmdir(dir);
    return tap_done();
}
