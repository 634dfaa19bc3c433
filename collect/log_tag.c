#include "collect/log_tag.h"

struct tag_name {
    struct slice name;
    enum daemon daemon;
};
#define NAME(name, daemon)                                                                         \
    {                                                                                              \
        {name, sizeof(name) - 1}, daemon                                                           \
    }

static const struct tag_name postfix_names[] = {
    NAME("smtpd", DAEMON_SMTPD),         NAME("smtp", DAEMON_SMTP),
    NAME("qmgr", DAEMON_QMGR),           NAME("cleanup", DAEMON_CLEANUP),
    NAME("lmtp", DAEMON_LMTP),           NAME("postscreen", DAEMON_POSTSCREEN),
    NAME("pickup", DAEMON_PICKUP),       NAME("bounce", DAEMON_BOUNCE),
    NAME("local", DAEMON_LOCAL),         NAME("virtual", DAEMON_VIRTUAL),
    NAME("pipe", DAEMON_PIPE),           NAME("anvil", DAEMON_ANVIL),
    NAME("postsuper", DAEMON_POSTSUPER), NAME("nqmgr", DAEMON_QMGR),
    NAME("oqmgr", DAEMON_QMGR),
};

static const struct tag_name other_names[] = {
    NAME("dovecot", DAEMON_DOVECOT),
    NAME("sm-mta", DAEMON_SENDMAIL),
    NAME("sendmail", DAEMON_SENDMAIL),
    NAME("sm-msp-queue", DAEMON_SENDMAIL),
    NAME("sm-que", DAEMON_SENDMAIL),
    NAME("spamd", DAEMON_SPAMD),
    NAME("spamc", DAEMON_SPAMC),
    NAME("spamass-milter", DAEMON_SPAMASS_MILTER),
    NAME("amavis", DAEMON_AMAVIS),
    NAME("amavisd", DAEMON_AMAVIS),
    NAME("amavisd-new", DAEMON_AMAVIS),
    NAME("rspamd", DAEMON_RSPAMD),
    NAME("clamd", DAEMON_CLAMD),
    NAME("clamav-milter", DAEMON_CLAMAV_MILTER),
    NAME("freshclam", DAEMON_FRESHCLAM),
    NAME("tollgated", DAEMON_TOLLGATED),
    NAME("systemd-journald", DAEMON_JOURNALD),
    NAME("systemd-journal", DAEMON_JOURNALD),
    NAME("rsyslogd", DAEMON_RSYSLOGD),
};

static const char *const daemon_names[] = {
    [DAEMON_OTHER] = "other",
    [DAEMON_SMTPD] = "smtpd",
    [DAEMON_POSTSCREEN] = "postscreen",
    [DAEMON_SMTP] = "smtp",
    [DAEMON_LMTP] = "lmtp",
    [DAEMON_QMGR] = "qmgr",
    [DAEMON_CLEANUP] = "cleanup",
    [DAEMON_PICKUP] = "pickup",
    [DAEMON_BOUNCE] = "bounce",
    [DAEMON_LOCAL] = "local",
    [DAEMON_VIRTUAL] = "virtual",
    [DAEMON_PIPE] = "pipe",
    [DAEMON_POSTSUPER] = "postsuper",
    [DAEMON_ANVIL] = "anvil",
    [DAEMON_POSTFIX] = "postfix",
    [DAEMON_DOVECOT] = "dovecot",
    [DAEMON_SENDMAIL] = "sendmail",
    [DAEMON_SPAMD] = "spamd",
    [DAEMON_SPAMC] = "spamc",
    [DAEMON_SPAMASS_MILTER] = "spamass-milter",
    [DAEMON_AMAVIS] = "amavis",
    [DAEMON_RSPAMD] = "rspamd",
    [DAEMON_CLAMD] = "clamd",
    [DAEMON_CLAMAV_MILTER] = "clamav-milter",
    [DAEMON_FRESHCLAM] = "freshclam",
    [DAEMON_TOLLGATED] = "tollgated",
    [DAEMON_JOURNALD] = "journald",
    [DAEMON_RSYSLOGD] = "rsyslogd",
};
_Static_assert(sizeof daemon_names / sizeof daemon_names[0] == DAEMON_COUNT, "a name each");

const char *log_tag_name(enum daemon daemon)
{
    return daemon_names[daemon];
}

static enum daemon look_up(const struct tag_name *names, size_t count, struct slice name,
                           enum daemon otherwise)
{
    for (size_t i = 0; i < count; i++) {
        if (names[i].name.len == name.len && names[i].name.ptr[0] == name.ptr[0] &&
            slice_equal(names[i].name, name))
            return names[i].daemon;
    }
    return otherwise;
}
#define LOOK_UP(names, name, otherwise)                                                            \
    look_up(names, sizeof(names) / sizeof(names)[0], name, otherwise)

/* --- a tag that was cut -------------------------------------------------------------------------
 */

static const struct tag_name first_words[] = {
    NAME("connect from ", DAEMON_SMTPD),
    NAME("disconnect from ", DAEMON_SMTPD),
    NAME("lost connection after ", DAEMON_SMTPD),
    NAME("timeout after ", DAEMON_SMTPD),
    NAME("too many errors after ", DAEMON_SMTPD),
    NAME("improper command pipelining after ", DAEMON_SMTPD),
    NAME("warning: non-SMTP command from ", DAEMON_SMTPD),
    NAME("warning: Illegal address syntax from ", DAEMON_SMTPD),
    NAME("connect to ", DAEMON_SMTP),
    NAME("CONNECT from [", DAEMON_POSTSCREEN),
    NAME("PASS OLD [", DAEMON_POSTSCREEN),
    NAME("PASS NEW [", DAEMON_POSTSCREEN),
    NAME("DISCONNECT [", DAEMON_POSTSCREEN),
    NAME("HANGUP after ", DAEMON_POSTSCREEN),
    NAME("PREGREET ", DAEMON_POSTSCREEN),
    NAME("DNSBL rank ", DAEMON_POSTSCREEN),
    NAME("ALLOWLISTED [", DAEMON_POSTSCREEN),
    NAME("WHITELISTED [", DAEMON_POSTSCREEN),
    NAME("DENYLISTED [", DAEMON_POSTSCREEN),
    NAME("BLACKLISTED [", DAEMON_POSTSCREEN),
    NAME("COMMAND ", DAEMON_POSTSCREEN),
    NAME("NON-SMTP COMMAND from ", DAEMON_POSTSCREEN),
    NAME("BARE NEWLINE from ", DAEMON_POSTSCREEN),
    NAME("statistics: max ", DAEMON_ANVIL),
};

/* After "QUEUEID: " or "NOQUEUE: ". */
static const struct tag_name id_words[] = {
    NAME("client=", DAEMON_SMTPD),
    NAME("lost connection after ", DAEMON_SMTPD),
    NAME("timeout after ", DAEMON_SMTPD),
    NAME("too many errors after ", DAEMON_SMTPD),
    NAME("message-id=", DAEMON_CLEANUP),
    NAME("resent-message-id=", DAEMON_CLEANUP),
    NAME("uid=", DAEMON_PICKUP),
    NAME("from=", DAEMON_QMGR),
    NAME("sender non-delivery notification: ", DAEMON_BOUNCE),
    NAME("sender delay notification: ", DAEMON_BOUNCE),
    NAME("sender delivery status notification: ", DAEMON_BOUNCE),
    NAME("postmaster non-delivery notification: ", DAEMON_BOUNCE),
    NAME("placed on hold", DAEMON_POSTSUPER),
    NAME("released from hold", DAEMON_POSTSUPER),
    NAME("requeued", DAEMON_POSTSUPER),
    NAME("host ", DAEMON_SMTP),
    NAME("lost connection with ", DAEMON_SMTP),
    NAME("conversation with ", DAEMON_SMTP),
    NAME("enabling PIX workarounds", DAEMON_SMTP),
};

static enum daemon by_first_words(const struct tag_name *words, size_t count, struct slice text,
                                  enum daemon otherwise)
{
    for (size_t i = 0; i < count; i++) {
        if (words[i].name.ptr[0] == text.ptr[0] && slice_starts(text, words[i].name))
            return words[i].daemon;
    }
    return otherwise;
}
#define BY_WORDS(words, text)                                                                      \
    by_first_words(words, sizeof(words) / sizeof(words)[0], text, DAEMON_POSTFIX)

static bool is_id(struct slice word)
{
    if (word.len < 6)
        return false;
    for (size_t i = 0; i < word.len; i++) {
        char c = slice_ascii_lower(word.ptr[i]);

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')))
            return false;
    }
    return true;
}

/* "relay=local, " among the words of a delivery. */
static enum daemon by_relay(struct slice text)
{
    struct slice part;

    while (slice_cut(&text, ' ', &part)) {
        if (slice_equal(part, SLICE("relay=local,")))
            return DAEMON_LOCAL;
        if (slice_equal(part, SLICE("relay=virtual,")))
            return DAEMON_VIRTUAL;
        if (slice_starts(part, SLICE("status=")))
            return DAEMON_POSTFIX;
    }
    return DAEMON_POSTFIX;
}

/* "reject: RCPT from host[192.0.2.1]: ..." of smtpd, "reject: RCPT from [192.0.2.1]:1234: ..." of
 * postscreen. */
static enum daemon by_reject(struct slice text)
{
    struct slice word;

    while (slice_cut(&text, ' ', &word) && word.len > 0) {
        if (slice_equal(word, SLICE("from")) && text.len > 0)
            return text.ptr[0] == '[' ? DAEMON_POSTSCREEN : DAEMON_SMTPD;
    }
    return DAEMON_POSTFIX;
}

enum daemon log_tag_by_text(struct slice text)
{
    ptrdiff_t colon = slice_find(text, ':');
    struct slice id = slice_to(text, colon > 0 ? (size_t)colon : 0);

    if (text.len == 0)
        return DAEMON_POSTFIX;
    if (!is_id(id) || slice_equal(id, SLICE("warning")) || slice_equal(id, SLICE("statistics")))
        return BY_WORDS(first_words, text);
    text = slice_from(text, id.len + 1);
    if (text.len < 2 || text.ptr[0] != ' ')
        return DAEMON_POSTFIX;
    text = slice_from(text, 1);
    if (slice_starts(text, SLICE("to=")))
        return by_relay(text);
    if (slice_equal(id, SLICE("NOQUEUE")) && slice_starts(text, SLICE("reject: ")))
        return by_reject(text);
    if (slice_equal(text, SLICE("removed")))
        return DAEMON_QMGR;
    if (slice_starts(text, SLICE("removed (")))
        return DAEMON_CLEANUP;
    return BY_WORDS(id_words, text);
}

/* --- a whole tag --------------------------------------------------------------------------------
 */

/* "postfix-out/submission/smtpd" behind its name. */
static void read_postfix(struct log_line *line, size_t name_len)
{
    struct slice rest = slice_from(line->tag, name_len);
    ptrdiff_t slash = slice_find_last(rest, '/');

    line->instance = slice_to(line->tag, name_len);
    if (slash < 0) {
        line->daemon = log_tag_by_text(line->text);
        return;
    }
    if (slash > 0)
        line->service = slice_to(slice_from(rest, 1), (size_t)slash - 1);
    rest = slice_from(rest, (size_t)slash + 1);
    line->daemon = rest.len > 0 ? LOOK_UP(postfix_names, rest, DAEMON_POSTFIX) : DAEMON_POSTFIX;
}

/* The length of the longest name that begins the tag and ends there or at a slash. */
static size_t postfix_name(struct slice tag, const struct machine_list *names)
{
    size_t best = 0;

    for (size_t i = 0; i < names->count; i++) {
        struct slice name = names->list[i];

        if (name.len > best && slice_starts(tag, name) &&
            (tag.len == name.len || tag.ptr[name.len] == '/'))
            best = name.len;
    }
    return best;
}

void log_tag_read(struct log_line *line, const struct machine_list *names)
{
    size_t name_len = postfix_name(line->tag, names);
    ptrdiff_t slash;
    struct slice program;

    line->instance = line->tag;
    line->service = SLICE_NONE;
    line->daemon = DAEMON_OTHER;
    if (line->tag.len == 0)
        return;
    if (name_len > 0) {
        read_postfix(line, name_len);
        return;
    }
    slash = slice_find_last(line->tag, '/'); /* "/usr/sbin/amavisd" */
    program = slice_from(line->tag, (size_t)(slash + 1));
    if (program.len > 0 && (slash < 0 || line->tag.ptr[0] == '/'))
        line->daemon = LOOK_UP(other_names, program, DAEMON_OTHER);
}
