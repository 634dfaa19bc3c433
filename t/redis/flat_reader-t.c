/* Flat replies: whole and torn at every byte, what is none, and those that hiredis made. */
#include "t/tap.h"

#include <stdlib.h>
#include <sysexits.h>

#include "lib/redis/flat_reader.h"
#include "lib/redis/link.h"

#define LONG_TEXT 300000 /* more than is read at once */

static struct err err;

static void start(struct flat_reader *r)
{
    OK(flat_reader_init(r, &err) == 0, "a reader");
}

static void add(struct flat_reader *r, const char *bytes, size_t len)
{
    OK(flat_reader_feed(r, (struct slice){bytes, len}, &err) == 0, "bytes");
}

/* A reply as text: its kind and its items. */
static void describe(const struct flat_reply *reply, char *text, size_t room)
{
    static const char kinds[] = {
        [FLAT_TEXT] = 'T', [FLAT_ERROR] = 'E', [FLAT_NIL] = 'N', [FLAT_ARRAY] = 'A'};
    size_t used = strlen(text);

    used += (size_t)snprintf(text + used, room - used, "%c", kinds[reply->kind]);
    for (size_t i = 0; i < reply->count; i++)
        used += (size_t)snprintf(text + used, room - used, "(%.*s)",
                                 reply->items[i].ptr != NULL ? (int)reply->items[i].len : 3,
                                 reply->items[i].ptr != NULL ? reply->items[i].ptr : "nil");
}

static const char stream[] = "*4\r\n$2\r\nab\r\n$-1\r\n$0\r\n\r\n$4\r\n\r\n12\r\n"
                             "$3\r\nxyz\r\n"
                             "+OK\r\n"
                             "-WRONGTYPE no\r\n"
                             "$-1\r\n"
                             "*-1\r\n"
                             "*0\r\n"
                             "$0\r\n\r\n"
                             "*1\r\n$1\r\n7\r\n";
static const char described[] = "A(ab)(nil)()(\r\n12)T(xyz)T(OK)E(WRONGTYPE no)NNAT()A(7)";

/* -1 at a fault. */
static int take_all(struct flat_reader *r, char *text, size_t room)
{
    struct flat_reply reply;
    int got;

    while ((got = flat_reader_next(r, &reply, &err)) == 1)
        describe(&reply, text, room);
    return got;
}

static void test_torn(void)
{
    size_t len = sizeof stream - 1, good = 0;

    for (size_t first = 0; first <= len; first++) {
        for (size_t second = first; second <= len; second += 7) {
            struct flat_reader r;
            char text[200] = "";

            if (flat_reader_init(&r, &err) != 0)
                continue;
            for (size_t part = 0; part < 3; part++) {
                size_t from = part == 0 ? 0 : part == 1 ? first : second;
                size_t to = part == 0 ? first : part == 1 ? second : len;

                if (flat_reader_feed(&r, (struct slice){stream + from, to - from}, &err) != 0)
                    break;
                if (take_all(&r, text, sizeof text) != 0)
                    break;
            }
            good += strcmp(text, described) == 0 && !flat_reader_has_more(&r);
            if (first == len)
                IS_STR(text, described, "whole");
            flat_reader_fini(&r);
        }
    }
    {
        size_t want = 0;

        for (size_t first = 0; first <= len; first++)
            want += (len - first) / 7 + 1;
        IS_INT(good, want, "torn at any two places");
    }
}

static void test_long(void)
{
    struct flat_reader r;
    struct flat_reply reply = {.count = 0};
    static char text[LONG_TEXT];

    memset(text, 'x', sizeof text);
    start(&r);
    add(&r, "*2\r\n$300000\r\n", 13);
    IS_INT(flat_reader_next(&r, &reply, &err), 0, "only its head");
    add(&r, text, sizeof text);
    add(&r, "\r\n", 2);
    IS_INT(flat_reader_next(&r, &reply, &err), 0, "one of two");
    add(&r, "$1\r\ny\r\n", 7);
    OK(flat_reader_next(&r, &reply, &err) == 1 && reply.count == 2 &&
           reply.items[0].len == LONG_TEXT && memcmp(reply.items[0].ptr, text, LONG_TEXT) == 0 &&
           slice_equal(reply.items[1], SLICE("y")),
       "longer than what is read at once");
    flat_reader_fini(&r);
}

static void test_faults(void)
{
    static const char *const faults[] = {"$3\r\nabcd\r\n",
                                         "$3\r\nab\r\n\r\n",
                                         "$\r\n\r\n",
                                         "$-\r\n",
                                         "$-2\r\n",
                                         "$x\r\n",
                                         "$1x\r\n",
                                         "$1\rx\r\n",
                                         "$99999999999999999999\r\n",
                                         "*2000000\r\n",
                                         "*1\r\n:1\r\n",
                                         "*1\r\n*1\r\n$1\r\nx\r\n",
                                         ":1\r\n",
                                         "HTTP/1.1 400 Bad Request\r\n"};

    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct flat_reader r;
        char text[200] = "";

        start(&r);
        add(&r, faults[i], strlen(faults[i]));
        err = (struct err){0};
        OK(take_all(&r, text, sizeof text) == -1 && err.code == EX_UNAVAILABLE, faults[i]);
        flat_reader_fini(&r);
    }
}

static void test_line(void)
{
    static const char firsts[] = "-+$*";

    for (size_t i = 0; firsts[i] != '\0'; i++) {
        struct flat_reader r;
        struct flat_reply reply;
        static char text[LONG_TEXT];

        memset(text, '1', sizeof text);
        text[0] = firsts[i];
        start(&r);
        add(&r, text, sizeof text);
        err = (struct err){0};
        OK(flat_reader_next(&r, &reply, &err) == -1 && err.code == EX_UNAVAILABLE,
           "a line without an end");
        flat_reader_fini(&r);
    }
}

/* A server that sends without an end. */
static void test_too_long(void)
{
    struct flat_reader r;
    static char text[LONG_TEXT];
    size_t fed = 0;

    memset(text, 'x', sizeof text);
    start(&r);
    add(&r, "$70000000\r\n", 11);
    while (flat_reader_feed(&r, (struct slice){text, sizeof text}, &err) == 0)
        fed += sizeof text;
    OK(fed > FLAT_MAX_BYTES - 2 * LONG_TEXT && fed < FLAT_MAX_BYTES, "a reply is bounded");
    OK(err.code == EX_UNAVAILABLE && strstr(err.text, "more than 64 MB") != NULL, err.text);
    flat_reader_fini(&r);
}

/* The sum of an array's texts is bounded, too, though none of them is long. */
static void test_many(void)
{
    struct flat_reader r;
    struct flat_reply reply;
    static char text[LONG_TEXT];
    int got = 0;

    memset(text, 'x', sizeof text);
    start(&r);
    add(&r, "*1000\r\n", 7);
    for (size_t i = 0; i < 1000 && got == 0; i++) {
        add(&r, "$300000\r\n", 9);
        add(&r, text, sizeof text);
        add(&r, "\r\n", 2);
        err = (struct err){0};
        got = flat_reader_next(&r, &reply, &err);
    }
    OK(got == -1 && err.code == EX_UNAVAILABLE && strstr(err.text, "too long") != NULL, err.text);
    flat_reader_fini(&r);
}

static void test_view(void)
{
    redisReader *made = redisReaderCreate();
    struct flat_reader r;
    struct flat_reply reply;
    char text[200] = "";
    void *one = NULL;

    OK(made != NULL && redisReaderFeed(made, stream, sizeof stream - 1) == REDIS_OK, "hiredis");
    start(&r);
    while (redisReaderGetReply(made, &one) == REDIS_OK && one != NULL) {
        if (flat_reader_view(&r, one, &reply, &err) == 0)
            describe(&reply, text, sizeof text);
        freeReplyObject(one);
    }
    IS_STR(text, described, "gives the same");
    OK(redisReaderFeed(made, "*1\r\n:1\r\n:1\r\n", 12) == REDIS_OK, "and numbers");
    for (int i = 0; i < 2; i++) {
        OK(redisReaderGetReply(made, &one) == REDIS_OK && one != NULL &&
               flat_reader_view(&r, one, &reply, &err) == -1,
           "are faults");
        freeReplyObject(one);
    }
    flat_reader_fini(&r);
    redisReaderFree(made);
}

int main(void)
{
    test_torn();
    test_long();
    test_faults();
    test_line();
    test_too_long();
    test_many();
    test_view();
    return tap_done();
}
