/* clamd's statistics, from replies as they are and as they should not be, and from a clamd that
 * stalls. */
#include "t/tap.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "collect/clamd.h"

static uint64_t counted;

static void count(void *to, int64_t time_ms, const struct payer *payer, enum counter id,
                  uint64_t amount)
{
    (void)to;
    OK(time_ms == 777 && payer->domain.len == 0 && id == COUNTER_CLAMD_CONNECTION_SECONDS,
       "seconds of the node, now");
    counted += amount;
}

static const struct sink sink = {.count = count};

#define STATE    "POOLS: 1\n\nSTATE: VALID PRIMARY\n"
#define THREADS  "THREADS: live 4  idle 1 max 10 idle-timeout 30\n"
#define REST     "QUEUE: 0 items\n\tSTATS 0.000002 \n\nMEMSTATS: heap N/A pools 1\nEND\n"
#define REPLY    STATE THREADS REST
#define LIVE(to) STATE "THREADS: live " to " max 10\n" REST

static const struct {
    const char *name, *reply;
    int64_t threads; /* -1: not believed */
} replies[] = {
    {"idle threads do not work", REPLY, 3},
    {"the one that answers", LIVE("1  idle 0"), 1},
    {"two pools", STATE THREADS THREADS REST, 6},
    {"nothing", "", -1},
    {"another server", "220 mx ESMTP\r\n", -1},
    {"an unknown command", "UNKNOWN COMMAND\n", -1},
    {"cut off", STATE THREADS "QUEUE: 0 items\n", -1},
    {"no threads named", STATE REST, -1},
    {"more idle than live", LIVE("1  idle 2"), -1},
    {"nobody answers", LIVE("1  idle 1"), -1},
    {"a negative number", LIVE("-4  idle 0"), -1},
    {"too large a number", LIVE("18446744073709551616  idle 0"), -1},
    {"more threads than a machine has", LIVE("10001  idle 0"), -1},
    {"more in two pools", STATE "THREADS: live 9000 idle 0\nTHREADS: live 9000 idle 0\n" REST, -1},
    {"other words", LIVE("4 busy 1"), -1},
    {"words missing", LIVE("4"), -1},
};

static void check_replies(void)
{
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        uint64_t threads = 0;
        bool is_known = clamd_working(slice_str(replies[i].reply), &threads);

        IS_INT(is_known ? (int64_t)threads : -1, replies[i].threads, replies[i].name);
    }
}

/* --- a clamd that the test plays ---------------------------------------------------------------
 */

static char path[100], where[110];

static int listen_on(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    OK(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 5) == 0, "listen");
    return fd;
}

/* Takes the question. */
static int ask(struct clamd *c, int listener, int64_t now_ms)
{
    char question[20] = "";
    int fd;

    OK(!clamd_turn(c, now_ms, 777, &sink) && c->fd >= 0, "it asks, and does not wait");
    fd = accept(listener, NULL, NULL);
    IS_INT(recv(fd, question, sizeof question, 0), 7, "the question's length, with its NUL");
    OK(strcmp(question, "zSTATS") == 0, "the question");
    return fd;
}

static bool answer(struct clamd *c, int fd, int64_t now_ms, const char *text, size_t len)
{
    bool is_counted = false;

    while (len > 0) {
        size_t n = len > 100 ? 100 : len;

        OK(send(fd, text, n, MSG_NOSIGNAL) >= 0 || c->fd < 0, "sent");
        is_counted = clamd_turn(c, now_ms, 777, &sink) || is_counted;
        text += n;
        len -= n;
    }
    return is_counted;
}

static void check_answers(int listener)
{
    static char garbage[2 * CLAMD_REPLY_BYTES];
    struct clamd c;
    struct err err;
    int fd;

    OK(clamd_init(&c, where, &err) == 0, "init");
    fd = ask(&c, listener, 1000);
    OK(answer(&c, fd, 1500, REPLY, sizeof REPLY), "an answer in parts");
    IS_INT(counted, 0, "time counts from the first on");
    (void)close(fd);
    OK(!clamd_turn(&c, 5999, 777, &sink) && c.fd < 0, "not asked again too early");

    fd = ask(&c, listener, 6000);
    OK(answer(&c, fd, 6250, REPLY, sizeof REPLY), "the second");
    IS_INT(counted, 9, "two threads, 4.75 s");
    (void)close(fd);
    fd = ask(&c, listener, 11000);
    OK(answer(&c, fd, 11000, REPLY, sizeof REPLY), "the third");
    IS_INT(counted, 19, "half seconds are not lost");
    (void)close(fd);

    fd = ask(&c, listener, 16000);
    OK(!clamd_turn(&c, 23999, 777, &sink) && c.fd >= 0 && !c.problem.is_on, "it may take its time");
    OK(!clamd_turn(&c, 24000, 777, &sink) && c.problem.is_on && c.fd < 0, "but not for ever");
    (void)close(fd);
    fd = ask(&c, listener, 26001);
    OK(answer(&c, fd, 26001, REPLY, sizeof REPLY) && !c.problem.is_on, "it answers again");
    IS_INT(counted, 19, "a time that was not watched counts nothing");
    (void)close(fd);

    memset(garbage, 'x', sizeof garbage);
    fd = ask(&c, listener, 32000);
    OK(!answer(&c, fd, 32000, garbage, sizeof garbage) && c.problem.is_on, "an endless answer");
    (void)close(fd);
    fd = ask(&c, listener, 38000);
    (void)close(fd);
    OK(!clamd_turn(&c, 38001, 777, &sink) && c.problem.is_on && c.fd < 0, "it hangs up");
    IS_INT(counted, 19, "none of it counts");
    clamd_fini(&c);
}

static void check_away(void)
{
    struct clamd c;
    struct err err;

    OK(clamd_init(&c, "", &err) == 0 && !clamd_turn(&c, 1000, 777, &sink) && c.fd < 0 &&
           !c.problem.is_on,
       "without a socket it is not asked");
    clamd_fini(&c);
    OK(clamd_init(&c, where, &err) == 0 && !clamd_turn(&c, 1000, 777, &sink), "none listens");
    OK(c.problem.is_on && c.fd < 0 && strstr(c.problem.text, "start clamd") != NULL,
       "and the log says so");
    clamd_fini(&c);
    OK(clamd_init(&c, "inet:[::1]:3310", &err) == 0 && c.address_len > 0, "by an address of IPv6");
    clamd_fini(&c);
    OK(clamd_init(&c, "inet:clamd.test:3310", &err) < 0, "a name is not looked up");
    clamd_fini(&c);
}

int main(void)
{
    int listener;

    (void)snprintf(path, sizeof path, "/tmp/tg-clamd-%d", (int)getpid());
    (void)snprintf(where, sizeof where, "unix:%s", path);
    check_replies();
    listener = listen_on();
    check_answers(listener);
    (void)close(listener);
    (void)unlink(path);
    check_away();
    return tap_done();
}
