#include "collect/dovecot_text.h"

#define TEXT(literal)                                                                              \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* The index of `what` in s, or -1. */
static ptrdiff_t find(struct slice s, struct slice what)
{
    for (size_t at = 0; at + what.len <= s.len; at++) {
        ptrdiff_t next = slice_find(slice_from(s, at), what.ptr[0]);

        if (next < 0)
            return -1;
        at += (size_t)next;
        if (slice_starts(slice_from(s, at), what))
            return (ptrdiff_t)at;
    }
    return -1;
}

static ptrdiff_t find_last(struct slice s, struct slice what)
{
    ptrdiff_t found = -1, next;

    for (size_t from = 0; (next = find(slice_from(s, from), what)) >= 0;) {
        found = (ptrdiff_t)from + next;
        from = (size_t)found + 1;
    }
    return found;
}

static struct slice part(struct slice s, size_t from, size_t to)
{
    return slice_from(slice_to(s, to), from);
}

/* --- "process(user)<pid><session>: " -------------------------------------------------------------
 */

static bool read_angled(struct slice *s, struct slice *value)
{
    ptrdiff_t close;

    if (s->len == 0 || s->ptr[0] != '<')
        return false;
    close = slice_find(*s, '>');
    if (close < 0)
        return false;
    *value = part(*s, 1, (size_t)close);
    *s = slice_from(*s, (size_t)close + 1);
    return true;
}

/* A user's name may hold brackets and blanks; "): " or ")<" ends it. */
static bool read_user(struct slice *s, struct slice *user)
{
    for (size_t at = 1; at + 1 < s->len; at++) {
        if (s->ptr[at] != ')' || (s->ptr[at + 1] != ':' && s->ptr[at + 1] != '<'))
            continue;
        *user = part(*s, 1, at);
        *s = slice_from(*s, at + 1);
        return true;
    }
    return false;
}

bool dovecot_text_read(struct slice text, struct dovecot_text *out)
{
    size_t at = 0;
    struct slice pid;

    *out = (struct dovecot_text){0};
    while (at < text.len && text.ptr[at] != '(' && text.ptr[at] != ':' && text.ptr[at] != ' ' &&
           text.ptr[at] != '<')
        at++;
    out->process = slice_to(text, at);
    text = slice_from(text, at);
    if (at == 0 || text.len == 0)
        return false;
    if (text.ptr[0] == '(' && !read_user(&text, &out->user))
        return false;
    if (read_angled(&text, &pid))
        (void)read_angled(&text, &out->session);
    if (text.len < 2 || text.ptr[0] != ':' || text.ptr[1] != ' ')
        return false;
    out->rest = slice_from(text, 2);
    return true;
}

/* --- values --------------------------------------------------------------------------------------
 */

/* What stands behind the last such name at the beginning of a word, up to the word's end. */
static bool find_value(struct slice rest, struct slice name, struct slice *value)
{
    struct slice word;
    bool found = false;

    while (slice_word(&rest, " ,()", &word)) {
        if (!slice_starts(word, name))
            continue;
        *value = slice_from(word, name.len);
        found = true;
    }
    return found;
}

bool dovecot_text_login(struct slice rest, struct dovecot_login *out)
{
    ptrdiff_t at = find(rest, SLICE("user=<")), session = find_last(rest, SLICE("session=<"));
    struct slice user, tail;

    if (at < 0)
        return false;
    *out = (struct dovecot_login){.said = slice_trim(slice_to(rest, (size_t)at))};
    if (out->said.len > 0 && out->said.ptr[out->said.len - 1] == ':')
        out->said.len--;
    user = slice_from(rest, (size_t)at + sizeof "user=<" - 1);
    at = find(user, SLICE(">,"));
    if (at < 0)
        at = slice_find(user, '>');
    out->user = slice_to(user, at < 0 ? 0 : (size_t)at);
    if (session >= 0) {
        tail = slice_from(rest, (size_t)session + sizeof "session=" - 1);
        (void)read_angled(&tail, &out->session);
    }
    (void)find_value(user, SLICE("rip="), &out->client);
    return true;
}

bool dovecot_text_number(struct slice rest, struct slice name, uint64_t *value)
{
    struct slice text;

    return find_value(rest, name, &text) && slice_number(text, value);
}

bool dovecot_text_bytes(struct slice rest, struct slice name, uint64_t *value)
{
    struct slice text, count;

    return find_value(rest, name, &text) && slice_cut(&text, '/', &count) &&
           slice_number(text, value);
}

/* --- reasons -------------------------------------------------------------------------------------
 */

struct slice dovecot_text_reason(struct slice said)
{
    static const struct slice before[] = {TEXT("Disconnected: "), TEXT("Login aborted: "),
                                          TEXT("Aborted login: ")};

    for (size_t i = 0; i < COUNT(before); i++) {
        if (slice_starts(said, before[i])) {
            said = slice_from(said, before[i].len);
            i = SIZE_MAX; /* again: "Login aborted: Disconnected: ..." of pop3-login */
        }
    }
    return said;
}

static bool has_any(struct slice s, const struct slice *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (find(s, texts[i]) >= 0)
            return true;
    }
    return false;
}

static bool starts_any(struct slice s, const struct slice *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_starts(s, texts[i]))
            return true;
    }
    return false;
}

bool dovecot_text_is_abnormal(struct slice reason)
{
    /* "Connection closed: read(size=963) failed: Connection reset by peer" */
    static const struct slice starts[] = {TEXT("Connection closed: "),
                                          TEXT("Connection timed out"),
                                          TEXT("Inactivity"),
                                          TEXT("Disconnected for inactivity"),
                                          TEXT("for inactivity"),
                                          TEXT("Timeout while "),
                                          TEXT("Too many ")};

    return starts_any(reason, starts, COUNT(starts));
}

bool dovecot_text_is_too_many(struct slice reason)
{
    return slice_starts(reason, SLICE("Too many ")) && find(reason, SLICE(" commands")) >= 0;
}

/* "(auth failed, 2 attempts in 6 secs)" */
static uint64_t attempts_of(struct slice said)
{
    ptrdiff_t at = find(said, SLICE(" failed, "));
    struct slice text = slice_from(said, at < 0 ? said.len : (size_t)at + sizeof " failed, " - 1);
    struct slice number;
    uint64_t attempts;

    if (!slice_cut(&text, ' ', &number) || !slice_starts(text, SLICE("attempts")) ||
        !slice_number(number, &attempts))
        return 0;
    return attempts;
}

bool dovecot_text_is_refused(struct slice said, uint64_t *attempts)
{
    static const struct slice refused[] = {
        TEXT("(auth failed"),
        TEXT("(authorization failed"),
        TEXT("(proxy dest auth failed"),
        TEXT("disallowed plaintext auth)"),
        TEXT("unsupported auth mechanism)"),
        TEXT("(cert required"),
        TEXT("an invalid cert)"),
        TEXT("didn't send a cert)"),
        TEXT("(login disabled"),
        TEXT("(user disabled"),
        TEXT("(password expired"),
        TEXT("(internal failure"),
        TEXT("reported temporary failure)"),
        TEXT("Maximum number of connections"),
    };

    *attempts = attempts_of(said);
    return has_any(said, refused, COUNT(refused));
}
