#include "relay/envelope.h"

#include <string.h>
#include <sysexits.h>

#define MAGIC "tollgate-queue 1"

struct slice envelope_path_plain(struct slice path)
{
    ptrdiff_t colon;

    path = slice_trim(path);
    if (path.len >= 2 && path.ptr[0] == '<' && path.ptr[path.len - 1] == '>')
        path = (struct slice){path.ptr + 1, path.len - 2};
    if (path.len == 0 || path.ptr[0] != '@')
        return path;
    colon = slice_find(path, ':');
    return colon < 0 ? path : slice_from(path, (size_t)colon + 1);
}

/* The same mailbox: the case of letters matters in the local part only. */
static bool same_address(struct slice a, struct slice b)
{
    ptrdiff_t at_a = slice_find_last(a, '@'), at_b = slice_find_last(b, '@');

    if (at_a < 0 || at_b < 0)
        return slice_equal(a, b);
    return slice_equal(slice_to(a, (size_t)at_a), slice_to(b, (size_t)at_b)) &&
           slice_equal_nocase(slice_from(a, (size_t)at_a), slice_from(b, (size_t)at_b));
}

static struct recipient *find_recipient(struct envelope *e, struct slice address)
{
    for (size_t i = 0; i < e->recipient_count; i++) {
        if (same_address(e->recipients[i].address, address))
            return &e->recipients[i];
    }
    return NULL;
}

int envelope_add_recipient(struct envelope *e, struct arena *arena, struct slice address,
                           struct slice original)
{
    struct recipient r = {.address = arena_copy(arena, address),
                          .original = arena_copy(arena, original)};
    struct recipient *list;

    if (find_recipient(e, address) != NULL)
        return 0;
    list = arena_grow(arena, e->recipients, e->recipient_count, &e->recipient_room, sizeof *list);
    if (list == NULL || r.address.ptr == NULL || r.original.ptr == NULL)
        return -1;
    e->recipients = list;
    list[e->recipient_count++] = r;
    return 0;
}

bool envelope_delete_recipient(struct envelope *e, struct slice address)
{
    struct recipient *r = find_recipient(e, address);

    if (r == NULL)
        return false;
    e->recipient_count--;
    memmove(r, r + 1, (e->recipient_count - (size_t)(r - e->recipients)) * sizeof *r);
    return true;
}

size_t envelope_count(const struct envelope *e, enum recipient_state state)
{
    size_t n = 0;

    for (size_t i = 0; i < e->recipient_count; i++)
        n += e->recipients[i].state == state;
    return n;
}

/* --- head ------------------------------------------------------------------------------------ */

static void add_text(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        buf_add_char(out, c < ' ' || c == 0x7f ? ' ' : (char)c);
    }
}

static void add_line(struct buf *out, const char *key, struct slice value)
{
    buf_addf(out, "%s ", key);
    add_text(out, value);
    buf_add_char(out, '\n');
}

void envelope_format(const struct envelope *e, struct buf *out)
{
    buf_add_str(out, MAGIC "\n");
    add_line(out, "id", e->id);
    buf_addf(out, "created %lld\n", (long long)e->created_ms);
    buf_addf(out, "bytes %llu\n", (unsigned long long)e->text_bytes);
    buf_addf(out, "flags %s%s\n", e->smtputf8 ? "u" : "", e->eightbit ? "8" : "");
    add_line(out, "client", e->client);
    add_line(out, "login", e->login);
    add_line(out, "sender", e->sender);
    for (size_t i = 0; i < e->recipient_count; i++) {
        add_line(out, "recipient", e->recipients[i].address);
        if (e->recipients[i].original.len > 0)
            add_line(out, "original", e->recipients[i].original);
    }
    buf_add_char(out, '\n');
}

static bool number(struct slice text, int64_t *value)
{
    uint64_t n;

    if (!slice_number(text, &n) || n > INT64_MAX)
        return false;
    *value = (int64_t)n;
    return true;
}

static bool take_recipient(struct envelope *e, struct arena *arena, struct slice value)
{
    struct recipient r = {.address = arena_copy(arena, value), .original = SLICE_NONE};
    struct recipient *list =
        arena_grow(arena, e->recipients, e->recipient_count, &e->recipient_room, sizeof *list);

    if (list == NULL || r.address.ptr == NULL)
        return false;
    e->recipients = list;
    list[e->recipient_count++] = r;
    return true;
}

static bool take_original(struct envelope *e, struct arena *arena, struct slice value)
{
    if (e->recipient_count == 0)
        return false;
    e->recipients[e->recipient_count - 1].original = arena_copy(arena, value);
    return true;
}

static bool take_pair(struct envelope *e, struct arena *arena, struct slice key, struct slice value)
{
    if (slice_equal(key, SLICE("recipient")))
        return take_recipient(e, arena, value);
    if (slice_equal(key, SLICE("original")))
        return take_original(e, arena, value);
    if (slice_equal(key, SLICE("created")))
        return number(value, &e->created_ms);
    if (slice_equal(key, SLICE("bytes")))
        return slice_number(value, &e->text_bytes);
    if (slice_equal(key, SLICE("flags"))) {
        e->smtputf8 = slice_find(value, 'u') >= 0;
        e->eightbit = slice_find(value, '8') >= 0;
        return true;
    }
    value = arena_copy(arena, value);
    if (slice_equal(key, SLICE("id")))
        e->id = value;
    else if (slice_equal(key, SLICE("sender")))
        e->sender = value;
    else if (slice_equal(key, SLICE("client")))
        e->client = value;
    else if (slice_equal(key, SLICE("login")))
        e->login = value;
    else
        return false;
    return value.ptr != NULL;
}

int envelope_parse(struct slice file, struct arena *arena, struct envelope *out, struct slice *rest,
                   struct err *err)
{
    struct slice line, key;

    *out = (struct envelope){.next_ms = 0};
    if (!slice_cut(&file, '\n', &line) || !slice_equal(line, SLICE(MAGIC)))
        return err_set(err, EX_DATAERR, "not a queue file of this version");
    while (slice_cut(&file, '\n', &line) && file.ptr != NULL) {
        if (line.len == 0) {
            *rest = file;
            return out->id.len > 0 && out->recipient_count > 0
                       ? 0
                       : err_set(err, EX_DATAERR, "queue file without id or recipients");
        }
        (void)slice_cut(&line, ' ', &key);
        if (line.ptr == NULL || !take_pair(out, arena, key, line))
            return err_set(err, EX_DATAERR, "damaged line in the queue file");
    }
    return err_set(err, EX_DATAERR, "queue file is truncated");
}

/* --- journal --------------------------------------------------------------------------------- */

void envelope_journal_recipient(struct buf *out, char kind, size_t recipient, int64_t now_ms,
                                struct slice text)
{
    buf_addf(out, "%c %zu %lld ", kind, recipient, (long long)now_ms);
    add_text(out, text);
    buf_add_char(out, '\n');
}

void envelope_journal_retry(struct buf *out, int64_t next_ms, unsigned tries)
{
    buf_addf(out, "R %lld %u\n", (long long)next_ms, tries);
}

static bool replay_retry(struct envelope *e, struct slice line)
{
    struct slice next;
    int64_t tries;

    (void)slice_cut(&line, ' ', &next);
    if (line.ptr == NULL || !number(next, &e->next_ms) || !number(line, &tries))
        return false;
    e->tries = (unsigned)tries;
    return true;
}

static bool state_of(char kind, enum recipient_state *state)
{
    if (kind == 'D')
        *state = RECIPIENT_DONE;
    else if (kind == 'F')
        *state = RECIPIENT_FAILED;
    else if (kind == 'B')
        *state = RECIPIENT_BOUNCED;
    else
        *state = RECIPIENT_PENDING;
    return strchr("DFBT", kind) != NULL;
}

static bool replay_recipient(struct envelope *e, struct arena *arena, char kind, struct slice line)
{
    struct slice index, time;
    enum recipient_state state;
    int64_t n, when;

    (void)slice_cut(&line, ' ', &index);
    if (line.ptr == NULL)
        return false;
    (void)slice_cut(&line, ' ', &time);
    if (line.ptr == NULL || !state_of(kind, &state) || !number(index, &n) || !number(time, &when) ||
        (uint64_t)n >= e->recipient_count)
        return false;
    e->recipients[n].state = state;
    if (line.len > 0)
        e->recipients[n].text = arena_copy(arena, line);
    return true;
}

void envelope_replay(struct envelope *e, struct arena *arena, struct slice journal)
{
    struct slice line;

    while (slice_cut(&journal, '\n', &line) && journal.ptr != NULL) {
        struct slice rest = slice_from(line, 2);

        if (line.len < 3 || line.ptr[1] != ' ')
            return;
        if (line.ptr[0] == 'R' ? !replay_retry(e, rest)
                               : !replay_recipient(e, arena, line.ptr[0], rest))
            return;
    }
}
