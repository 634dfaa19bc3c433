/*
 * Prints how each line of standard input is read, for tests that compare it with something else:
 *
 *     log_dump [-n NAME,NAME] [-z ZONE] [-e END] [-s]        times in Unix seconds
 *
 * A line each, fields parted by tabs: form, time, host, tag, instance, service, daemon, pid, times,
 * text. -s: the state is encoded and decoded between any two lines.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "collect/log_reader.h"
#include "collect/log_tag.h"
#include "collect/zone_load.h"

#define NAMES_MAX 16

static struct slice names[NAMES_MAX] = {{"postfix", 7}};
static struct machine_list name_list = {names, 1};

static void names_set(const char *text)
{
    struct slice rest = slice_str(text);

    for (name_list.count = 0;
         name_list.count < NAMES_MAX && slice_cut(&rest, ',', &names[name_list.count]);)
        name_list.count++;
}

static void time_print(int64_t time_ms)
{
    time_t t = (time_t)(time_ms / 1000);
    char text[32];
    struct tm tm;

    (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", gmtime_r(&t, &tm));
    printf("%s.%03dZ", text, (int)(time_ms % 1000));
}

static void reading_print(const struct log_reading *g)
{
    const struct log_line *l = &g->line;

    printf("%s\t", log_form_name(g->form));
    if (g->form == LOG_FORM_NONE || g->is_silent) {
        printf("-\n");
        return;
    }
    time_print(l->time_ms);
    printf("\t%.*s\t%.*s\t%.*s\t%.*s\t%s\t%lld\t%u\t%.*s\n", SLICE_FMT(l->host), SLICE_FMT(l->tag),
           SLICE_FMT(l->instance), SLICE_FMT(l->service), log_tag_name(l->daemon),
           (long long)l->pid, (unsigned)l->times, SLICE_FMT(l->text));
}

static void state_move(struct log_reader *r, const struct log_setup *setup)
{
    struct buf state;

    buf_init(&state, 100);
    log_reader_encode(r, &state);
    log_reader_fini(r);
    log_reader_init(r, setup, 0);
    if (!log_reader_decode(r, buf_slice(&state)))
        abort();
    buf_fini(&state);
}

static void lines_print(const struct log_setup *setup, int64_t end_ms, bool is_moved)
{
    struct read_time_bounds bounds = {end_ms, end_ms};
    struct log_reading reading;
    struct log_reader r;
    char *line = NULL;
    size_t room = 0;
    ssize_t len;

    log_reader_init(&r, setup, 0);
    while ((len = getline(&line, &room, stdin)) > 0) {
        if (is_moved)
            state_move(&r, setup);
        if (line[len - 1] == '\n')
            len--;
        (void)log_reader_read(&r, (struct slice){line, (size_t)len}, &bounds, &reading);
        reading_print(&reading);
    }
    free(line);
    log_reader_fini(&r);
}

int main(int argc, char **argv)
{
    const char *zone_name = "UTC";
    int64_t end_ms = (int64_t)time(NULL) * 1000;
    bool is_moved = false;
    struct zone *zone;
    struct err err;
    int option;

    while ((option = getopt(argc, argv, "n:z:e:s")) != -1) {
        if (option == 'n')
            names_set(optarg);
        else if (option == 'z')
            zone_name = optarg;
        else if (option == 'e')
            end_ms = strtoll(optarg, NULL, 10) * 1000;
        else if (option == 's')
            is_moved = true;
        else
            return 64;
    }
    if (zone_load(zone_name, &zone, &err) != 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        return err.code;
    }
    lines_print(&(struct log_setup){&name_list, zone}, end_ms, is_moved);
    zone_free(zone);
    return 0;
}
