/* What the tests of the follower drive.
 *
 *   follow_check step SOURCE MODE FROM SINCE_MS POSITION
 *     MODE: live, once, whole; FROM: start, end; POSITION: in hex, or "-". For each line of
 * standard input, a time in milliseconds, prints what follow_next gives then, and at last ". RESULT
 *     POSITION LAG READY". The input
 *     "poll" only asks whether the descriptor is readable: "ready", "quiet".
 *
 *   follow_check run SOURCE STORE SPEED LINES DIES_AT
 *     Follows it live, its clock SPEED times as fast, and appends folds of LINES lines to STORE,
 *     each ended by its position. What a kill left behind the last position is cut off first, as
 *     a transaction would be. Kills itself in the middle of the fold DIES_AT (0: never).
 *
 *   follow_check fits SOURCE POSITION
 *     Prints what follow_fits says.
 *
 *   follow_check count FILE
 *     Prints how many lines it has, the peak of its memory in KiB, and how many lines a second it
 * was.
 *
 * Lines are printed as "L line", gaps as "G reason", errors as "E text", positions as "@ HEX". */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "collect/follow.h"
#include "lib/sys/clock.h"

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "follow_check: %s\n", what);
    exit(EX_SOFTWARE);
}

static void print_hex(FILE *out, const struct follow_position *p)
{
    struct buf b;

    buf_init(&b, 4096);
    follow_position_encode(p, &b);
    for (size_t i = 0; i < b.len; i++)
        fprintf(out, "%02x", (unsigned char)b.data[i]);
    buf_fini(&b);
}

/* False: there is none. */
static bool read_hex(const char *hex, struct follow_position *p)
{
    char bytes[4096];
    size_t len = 0;
    unsigned byte;

    if (strcmp(hex, "-") == 0)
        return false;
    while (len < sizeof bytes && sscanf(hex + 2 * len, "%2x", &byte) == 1)
        bytes[len++] = (char)byte;
    if (follow_position_decode(p, (struct slice){bytes, len}, NULL) != 0)
        fail("a position cannot be read");
    return true;
}

static void print(FILE *out, char kind, struct slice text)
{
    fputc(kind, out);
    fputc(' ', out);
    fwrite(text.ptr, 1, text.len, out);
    fputc('\n', out);
}

/* Prints at most `lines` lines, and what is between them. */
static enum follow_result pass(struct follow *f, int64_t now_ms, size_t lines, FILE *out)
{
    struct slice line;
    struct gap gap;
    struct err err = {0};
    enum follow_result result = FOLLOW_LINE;

    while (lines > 0 && (result = follow_next(f, now_ms, &line, &gap, &err)) >= FOLLOW_LINE &&
           result != FOLLOW_END) {
        print(out, result == FOLLOW_LINE ? 'L' : 'G', result == FOLLOW_LINE ? line : gap.reason);
        lines -= result == FOLLOW_LINE;
    }
    if (result == FOLLOW_ERROR)
        print(out, 'E', slice_str(err.text));
    return result;
}

static struct follow *open_or_fail(const char *source, const struct follow_options *options,
                                   const struct follow_position *at)
{
    struct err err = {0};
    struct follow *f = follow_open(source, options, at, &err);

    if (f != NULL)
        return f;
    printf("E %s\n", err.text);
    exit(err.code);
}

static int is_ready(const struct follow *f)
{
    struct pollfd ready = {follow_fd(f), POLLIN, 0};

    return poll(&ready, 1, 0);
}

static int step(char **arg)
{
    static const char *const results[] = {"error", "nothing", "line", "gap", "end"};
    struct follow_options options = {
        strcmp(arg[1], "once") == 0 ? FOLLOW_ONCE
                                    : (strcmp(arg[1], "whole") == 0 ? FOLLOW_WHOLE : FOLLOW_LIVE),
        strcmp(arg[2], "start") == 0 ? FOLLOW_FROM_START : FOLLOW_FROM_END, atoll(arg[3])};
    struct follow_position p;
    bool has_position = read_hex(arg[4], &p);
    struct follow *f = open_or_fail(arg[0], &options, has_position ? &p : NULL);
    char time[64];

    while (fgets(time, sizeof time, stdin) != NULL) {
        enum follow_result result;

        if (strcmp(time, "poll\n") == 0) {
            puts(is_ready(f) ? "ready" : "quiet");
            fflush(stdout);
            continue;
        }
        result = pass(f, atoll(time), SIZE_MAX, stdout);
        follow_position(f, &p);
        printf(". %s ", results[result + 1]);
        print_hex(stdout, &p);
        printf(" %llu %d\n", (unsigned long long)follow_lag_bytes(f), is_ready(f));
        fflush(stdout);
    }
    follow_close(f);
    return 0;
}

/* The last position of the store; what is behind it goes. */
static bool recover(FILE *store, struct follow_position *p)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    long end = 0;
    bool found = false;

    while ((len = getline(&line, &room, store)) > 0)
        if (line[len - 1] == '\n' && strncmp(line, "@ ", 2) == 0) {
            line[len - 1] = '\0';
            found = read_hex(line + 2, p);
            end = ftell(store);
        }
    free(line);
    if (ftruncate(fileno(store), end) != 0 || fseek(store, end, SEEK_SET) != 0)
        fail("the store cannot be cut");
    return found;
}

static int run(char **arg)
{
    struct follow_options options = {FOLLOW_LIVE, FOLLOW_FROM_START, 0};
    int64_t speed = atoll(arg[2]);
    size_t lines = (size_t)atoll(arg[3]), dies_at = (size_t)atoll(arg[4]);
    int fd = open(arg[1], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    FILE *store = fd < 0 ? NULL : fdopen(fd, "r+");
    struct follow_position p;
    struct follow *f;

    if (store == NULL)
        fail("the store cannot be opened");
    f = open_or_fail(arg[0], &options, recover(store, &p) ? &p : NULL);
    for (size_t fold = 1;; fold++) {
        enum follow_result result = pass(f, clock_monotonic_ms() * speed, lines, store);
        struct pollfd ready = {follow_fd(f), POLLIN, 0};

        fflush(store);
        if (fold == dies_at)
            raise(SIGKILL);
        follow_position(f, &p);
        fputs("@ ", store);
        print_hex(store, &p);
        fputc('\n', store);
        fflush(store);
        if (result <= FOLLOW_NOTHING)
            (void)poll(&ready, 1, (int)(1000 / speed));
    }
}

static long peak_kib(void)
{
    FILE *f = fopen("/proc/self/status", "re");
    char line[256];
    long kib = 0;

    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        (void)sscanf(line, "VmHWM: %ld", &kib);
    if (f != NULL)
        (void)fclose(f);
    return kib;
}

static int count(char **arg)
{
    struct follow_options options = {FOLLOW_WHOLE, FOLLOW_FROM_START, 0};
    struct follow *f = open_or_fail(arg[0], &options, NULL);
    int64_t begun_ms = clock_monotonic_ms(), ms;
    struct slice line;
    struct gap gap;
    enum follow_result result;
    long long lines = 0;

    while ((result = follow_next(f, begun_ms, &line, &gap, NULL)) != FOLLOW_END)
        if (result == FOLLOW_LINE)
            lines++;
        else if (result != FOLLOW_GAP)
            fail("the file cannot be read");
    follow_close(f);
    ms = clock_monotonic_ms() - begun_ms + 1;
    printf("%lld %ld %lld\n", lines, peak_kib(), lines * 1000 / (long long)ms);
    return 0;
}

int main(int argc, char **argv)
{
    struct follow_position at;

    if (argc == 7 && strcmp(argv[1], "step") == 0)
        return step(argv + 2);
    if (argc == 7 && strcmp(argv[1], "run") == 0)
        return run(argv + 2);
    if (argc == 3 && strcmp(argv[1], "count") == 0)
        return count(argv + 2);
    if (argc == 4 && strcmp(argv[1], "fits") == 0 && read_hex(argv[3], &at)) {
        printf("%d\n", follow_fits(argv[2], &at, clock_monotonic_ms() + 80000, NULL));
        return 0;
    }
    fail("see the head of its source");
}
