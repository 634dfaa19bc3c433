#include "collect/follow_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/clock.h"
#include "lib/sys/program.h"

#define US_PER_S     INT64_C(1000000)
#define PAUSE_MIN_MS 1000
#define PAUSE_MAX_MS 60000
#define WORDS_MAX    ((size_t)8 << 10)
#define FIELDS       "MESSAGE,SYSLOG_IDENTIFIER,SYSLOG_PID,_PID,_HOSTNAME,_SYSTEMD_UNIT"

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

/* Its status; -1: it was ended by a signal, ours included. */
static int end_child(struct follow_journal *j, bool kills)
{
    int status = -1;

    if (j->child > 0) {
        if (kills)
            (void)kill(j->child, SIGKILL);
        while (waitpid(j->child, &status, 0) < 0 && errno == EINTR)
            continue;
    }
    j->child = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void stop(struct follow_journal *j)
{
    (void)end_child(j, true);
    close_fd(&j->fd);
    close_fd(&j->errors);
}

void follow_journal_fini(struct follow_journal *j)
{
    stop(j);
    follow_buffer_fini(&j->buffer);
    buf_fini(&j->words);
}

/* --- the source's text ------------------------------------------------------------------------ */

static const struct slice OPTIONS[] = {SLICE("file="), SLICE("directory="), SLICE("namespace="),
                                       SLICE("unit=")};

static bool is_option(struct slice word)
{
    for (size_t i = 0; i < sizeof OPTIONS / sizeof OPTIONS[0]; i++)
        if (slice_equal(slice_to(word, OPTIONS[i].len), OPTIONS[i]))
            return true;
    return false;
}

/* FIELD=VALUE, with a field of capitals, digits and underscores, or "+". */
static bool is_match(struct slice word)
{
    ptrdiff_t equals = slice_find(word, '=');

    if (equals <= 0)
        return slice_equal(word, SLICE("+"));
    for (ptrdiff_t i = 0; i < equals; i++)
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", word.ptr[i]) == NULL)
            return false;
    return true;
}

static int add_word(struct follow_journal *j, struct slice word, struct err *err)
{
    if (!is_option(word) && !is_match(word))
        return err_set(err, EX_CONFIG,
                       "journal: \"%.*s\" is neither a match (FIELD=VALUE) nor file=, directory=, "
                       "namespace= or unit=",
                       SLICE_FMT(word));
    if (++j->word_count > FOLLOW_JOURNAL_WORDS)
        return err_set(err, EX_CONFIG, "journal: more than %d words", FOLLOW_JOURNAL_WORDS);
    if (is_option(word))
        buf_add_str(&j->words, "--");
    buf_add(&j->words, word);
    buf_add_char(&j->words, '\0');
    return 0;
}

int follow_journal_init(struct follow_journal *j, const char *text,
                        const struct follow_options *options, const struct follow_position *at,
                        struct err *err)
{
    struct slice rest = slice_str(text), word;

    *j = (struct follow_journal){.options = *options, .fd = -1, .errors = -1};
    buf_init(&j->words, WORDS_MAX);
    if (follow_buffer_init(&j->buffer, FOLLOW_JOURNAL_LINE_MAX) != 0)
        return err_set(err, EX_OSERR, "out of memory");
    if (at != NULL)
        j->at = *at;
    else if (options->from == FOLLOW_FROM_END)
        j->at.entry_us = clock_unix_ms() * 1000;
    else
        j->at.entry_us = options->since_ms * 1000;
    while (slice_word(&rest, " \t", &word))
        if (add_word(j, word, err) != 0)
            return -1;
    return j->words.failed ? err_set(err, EX_CONFIG, "journal: the source's text is too long") : 0;
}

/* --- the child -------------------------------------------------------------------------------- */

#define OWN_WORDS 9 /* of ours and the NULL, at most */

struct journal_command {
    const char *argv[OWN_WORDS + FOLLOW_JOURNAL_WORDS];
    size_t count;
    char place[FOLLOW_CURSOR_MAX + 16];
};

static void add(struct journal_command *c, const char *word)
{
    TG_ASSERT(c->count < sizeof c->argv / sizeof c->argv[0] - 1);
    c->argv[c->count++] = word;
}

/* --cursor= wants the cursor's own entry first, --since= what is not older. */
static void add_place(struct journal_command *c, const struct follow_journal *j)
{
    const struct follow_position *at = &j->at;
    bool by_cursor = at->cursor[0] != '\0' && !j->was_refused;
    /* The last entry was given already. */
    int64_t since_us = at->entry_us + (at->cursor[0] != '\0');

    if (by_cursor)
        (void)snprintf(c->place, sizeof c->place, "--cursor=%s", at->cursor);
    else
        (void)snprintf(c->place, sizeof c->place, "--since=@%" PRId64 ".%06" PRId64,
                       since_us / US_PER_S, since_us % US_PER_S);
    if (by_cursor || at->entry_us > 0)
        add(c, c->place);
}

static void make_command(struct journal_command *c, const struct follow_journal *j)
{
    struct slice rest = buf_slice(&j->words), word;

    *c = (struct journal_command){{NULL}, 0, ""};
    add(c, "journalctl");
    add(c, "--quiet");
    add(c, "--no-pager");
    add(c, "--output=json");
    add(c, "--all");
    add(c, "--output-fields=" FIELDS);
    if (j->options.mode == FOLLOW_LIVE) {
        add(c, "--follow");
        add(c, "--no-tail"); /* with fewer than ten entries, and ten only, without it */
    }
    add_place(c, j);
    for (size_t i = 0; i < j->word_count; i++)
        if (slice_cut(&rest, '\0', &word))
            add(c, word.ptr);
}

static int start(struct follow_journal *j, struct err *err)
{
    struct journal_command c;
    int out[2], errors[2];

    make_command(&c, j);
    if (pipe2(out, O_CLOEXEC) != 0)
        return err_set(err, EX_OSERR, "pipe: %s", strerror(errno));
    if (pipe2(errors, O_CLOEXEC) != 0) {
        (void)close(out[0]);
        (void)close(out[1]);
        return err_set(err, EX_OSERR, "pipe: %s", strerror(errno));
    }
    j->fd = out[0];
    j->errors = errors[0];
    (void)fcntl(j->fd, F_SETFL, O_NONBLOCK);
    (void)fcntl(j->errors, F_SETFL, O_NONBLOCK);
    j->child = program_start(c.argv, &(struct program_files){-1, out[1], errors[1], -1}, err);
    (void)close(out[1]);
    (void)close(errors[1]);
    j->looks_for_at = j->at.cursor[0] != '\0' && !j->was_refused;
    j->said_len = 0;
    follow_buffer_begin(&j->buffer, 0, SLICE_NONE);
    if (j->child > 0)
        return 0;
    stop(j);
    return -1;
}

/* Reads what it has to say, so that it never waits for us; the first of it is kept. */
static void listen_to(struct follow_journal *j)
{
    char bytes[1024];
    ssize_t len;

    while ((len = read(j->errors, bytes, sizeof bytes)) > 0) {
        size_t room = sizeof j->said - j->said_len;
        size_t kept = (size_t)len < room ? (size_t)len : room;

        memcpy(j->said + j->said_len, bytes, kept);
        j->said_len += kept;
    }
}

static void wait_longer(struct follow_journal *j, int64_t now_ms)
{
    j->pause_ms = j->pause_ms == 0 ? PAUSE_MIN_MS : j->pause_ms * 2;
    if (j->pause_ms > PAUSE_MAX_MS)
        j->pause_ms = PAUSE_MAX_MS;
    j->again_at_ms = now_ms + j->pause_ms;
}

/* --- entries ---------------------------------------------------------------------------------- */

/* The text of a field of a JSON object on one line. Its name in quotes cannot stand in another
 * field's text, where quotes are escaped, but a text may be the name: a colon must follow. */
static struct slice field(struct slice line, struct slice name)
{
    struct slice rest = line;
    const char *found;

    while ((found = memmem(rest.ptr, rest.len, name.ptr, name.len)) != NULL) {
        struct slice value;

        rest = slice_from(line, (size_t)(found - line.ptr) + name.len);
        value = slice_trim(rest);
        if (value.len == 0 || value.ptr[0] != ':')
            continue;
        value = slice_trim(slice_from(value, 1));
        if (value.len > 0 && value.ptr[0] == '"') {
            value = slice_from(value, 1);
            return slice_to(value, (size_t)(slice_find(value, '"') + 1) - 1);
        }
    }
    return SLICE_NONE;
}

/* The position goes behind that entry. */
static void note(struct follow_journal *j, struct slice line)
{
    struct slice cursor = field(line, SLICE("\"__CURSOR\""));
    uint64_t entry_us;

    if (slice_number(field(line, SLICE("\"__REALTIME_TIMESTAMP\"")), &entry_us))
        j->at.entry_us = (int64_t)entry_us;
    if (cursor.len > 0 && cursor.len < sizeof j->at.cursor) {
        memcpy(j->at.cursor, cursor.ptr, cursor.len);
        j->at.cursor[cursor.len] = '\0';
        j->was_refused = false;
    }
}

static enum follow_result tell_gap(struct gap *gap, struct slice reason)
{
    *gap = (struct gap){.reason = reason};
    return FOLLOW_GAP;
}

/* FOLLOW_NOTHING: it was given before. */
static enum follow_result take_entry(struct follow_journal *j, struct slice line, struct gap *gap)
{
    bool is_first = j->looks_for_at;

    j->pause_ms = 0;
    j->looks_for_at = false;
    if (is_first && slice_equal(field(line, SLICE("\"__CURSOR\"")), slice_str(j->at.cursor)))
        return FOLLOW_NOTHING;
    if (is_first) {
        j->has_held = true;
        j->held = line;
        return tell_gap(gap, SLICE("journal: the entry of the last position is gone"));
    }
    note(j, line);
    return FOLLOW_LINE;
}

/* The child has ended. */
static enum follow_result at_end(struct follow_journal *j, int64_t now_ms, struct gap *gap,
                                 struct err *err)
{
    int status;
    struct slice said;

    listen_to(j);
    status = end_child(j, false);
    stop(j);
    said = slice_trim((struct slice){j->said, j->said_len});
    if (status == 0 && j->options.mode != FOLLOW_LIVE)
        return FOLLOW_END;
    if (status > 0 && j->looks_for_at && memmem(said.ptr, said.len, "cursor", 6) != NULL) {
        j->was_refused = true;
        return tell_gap(gap, SLICE("journal: the cursor of the last position is refused"));
    }
    wait_longer(j, now_ms);
    if (status == 0)
        return FOLLOW_NOTHING;
    (void)err_set(err, EX_UNAVAILABLE, "journalctl ended with status %d: %.*s", status,
                  SLICE_FMT(said));
    return FOLLOW_ERROR;
}

enum { READ_END = -1, READ_NOTHING, READ_SOME };

static int read_on(struct follow_journal *j)
{
    size_t room;
    char *to = follow_buffer_room(&j->buffer, &room);
    ssize_t len = read(j->fd, to, room);

    listen_to(j);
    if (len > 0)
        follow_buffer_added(&j->buffer, (size_t)len);
    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return READ_NOTHING;
    return len > 0 ? READ_SOME : READ_END;
}

/* An entry, or what there is instead of one. */
static enum follow_result step(struct follow_journal *j, int64_t now_ms, struct slice *line,
                               struct gap *gap, bool *again, struct err *err)
{
    uint64_t nuls;
    int read;

    *again = true;
    if (follow_buffer_cut(&j->buffer, line, &nuls) == FOLLOW_CUT_LINE)
        return take_entry(j, *line, gap);
    read = read_on(j);
    *again = read == READ_SOME;
    return read == READ_END ? at_end(j, now_ms, gap, err) : FOLLOW_NOTHING;
}

enum follow_result follow_journal_next(struct follow_journal *j, int64_t now_ms, struct slice *line,
                                       struct gap *gap, struct err *err)
{
    enum follow_result result;
    bool again;

    if (j->has_held) {
        j->has_held = false;
        *line = j->held;
        note(j, *line);
        return FOLLOW_LINE;
    }
    if (j->child == 0) {
        if (now_ms < j->again_at_ms)
            return FOLLOW_NOTHING;
        if (start(j, err) != 0) {
            wait_longer(j, now_ms);
            return FOLLOW_ERROR;
        }
    }
    do
        result = step(j, now_ms, line, gap, &again, err);
    while (result == FOLLOW_NOTHING && again);
    return result;
}

void follow_journal_position(const struct follow_journal *j, struct follow_position *p)
{
    *p = j->at;
}
