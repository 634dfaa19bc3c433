#include "collect/refusal.h"

#include <string.h>

#include "collect/mail_text.h"

/* Who is named without a host's name, or has several: a word of the text, and the host. */
static const struct {
    struct slice word, host;
} makers[] = {
    {{"spamhaus", 8}, {"spamhaus.org", 12}},
    {{"spamcop", 7}, {"spamcop.net", 11}},
    {{"barracuda", 9}, {"barracudacentral.org", 20}},
    {{"sorbs", 5}, {"sorbs.net", 9}},
    {{"uceprotect", 10}, {"uceprotect.net", 14}},
    {{"abuseat", 7}, {"abuseat.org", 11}},
    {{"mailspike", 9}, {"mailspike.net", 13}},
    {{"senderscore", 11}, {"senderscore.org", 15}},
    {{"spamrats", 8}, {"spamrats.com", 12}},
    {{"spfbl", 5}, {"spfbl.net", 9}},
    {{"surbl", 5}, {"surbl.org", 9}},
    {{"uribl", 5}, {"uribl.com", 9}},
    {{"invaluement", 11}, {"invaluement.com", 15}},
    {{"backscatterer", 13}, {"backscatterer.org", 17}},
    {{"hostkarma", 9}, {"junkemailfilter.com", 19}},
    {{"cloudmark", 9}, {"cloudmark.com", 13}},
    {{"proofpoint", 10}, {"proofpoint.com", 14}},
    {{"trendmicro", 10}, {"trendmicro.com", 14}},
};

/* Words before the name of a list. */
static const struct slice leads[] = {
    {"blocked using ", 14}, {"listed at ", 10},   {"listed in ", 10},
    {"listed by ", 10},     {"listed on ", 10},   {"blacklisted at ", 15},
    {"blacklist ", 10},     {"blocklist ", 10},   {"block list ", 11},
    {"black list ", 11},    {"rejected by ", 12}, {"blocked by ", 11},
    {"found in ", 9},       {"found on ", 9},     {"according to ", 13},
    {"dnsbl ", 6},          {"dnsbl: ", 7},       {"rbl ", 4},
    {"rbl: ", 5},           {"using ", 6},
};

bool refusal_is_greylisting(struct slice text)
{
    return mail_text_has_nocase(text, SLICE("greylist")) ||
           mail_text_has_nocase(text, SLICE("graylist")) ||
           mail_text_has_nocase(text, SLICE("grey list")) ||
           mail_text_has_nocase(text, SLICE("postgrey"));
}

static bool is_host_byte(char c)
{
    char l = slice_ascii_lower(c);

    return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

/* The run of a host's bytes at the front, without dots at its end. */
static struct slice host_run(struct slice text)
{
    size_t len = 0;

    while (len < text.len && is_host_byte(text.ptr[len]))
        len++;
    while (len > 0 && (text.ptr[len - 1] == '.' || text.ptr[len - 1] == '-'))
        len--;
    return slice_to(text, len);
}

/* Two labels at least, the last one of letters; no address of a machine, no file. */
static bool is_host(struct slice s)
{
    ptrdiff_t dot = slice_find_last(s, '.');
    struct slice top = dot > 0 ? slice_from(s, (size_t)dot + 1) : SLICE_NONE;

    if (top.len < 2 || s.len >= REFUSAL_LIST_ROOM || s.ptr[0] == '.')
        return false;
    for (size_t i = 0; i < top.len; i++) {
        char l = slice_ascii_lower(top.ptr[i]);

        if ((l < 'a' || l > 'z') && !(i >= 4 && slice_starts_nocase(top, SLICE("xn--"))))
            return false;
    }
    return !slice_equal_nocase(top, SLICE("html")) && !slice_equal_nocase(top, SLICE("php")) &&
           !slice_equal_nocase(top, SLICE("cgi")) && !slice_equal_nocase(top, SLICE("htm"));
}

static struct slice lower(struct slice s, char room[REFUSAL_LIST_ROOM])
{
    struct slice host = s;

    if (slice_starts_nocase(host, SLICE("www.")) &&
        slice_find(slice_from(host, 4), '.') > 0) /* "www.spamhaus.org" */
        host = slice_from(host, 4);
    for (size_t i = 0; i < host.len; i++)
        room[i] = slice_ascii_lower(host.ptr[i]);
    return (struct slice){room, host.len};
}

/* "(zen.example)", "http://www.example/...", "the bl.example list" */
static struct slice skip_to_host(struct slice s)
{
    static const struct slice fillers[] = {
        {"(", 1},           {"[", 1},           {"<", 1},     {"\"", 1},     {"'", 1},
        {"https://", 8},    {"http://", 7},     {"the ", 4},  {"DNSBL ", 6}, {"RBL ", 4},
        {"blocklist ", 10}, {"blacklist ", 10}, {"list ", 5},
    };
    bool again = true;

    while (again) {
        again = false;
        for (size_t i = 0; i < sizeof fillers / sizeof fillers[0]; i++) {
            if (slice_starts_nocase(s, fillers[i])) {
                s = slice_from(s, fillers[i].len);
                again = true;
            }
        }
    }
    return s;
}

static struct slice after_lead(struct slice at)
{
    for (size_t i = 0; i < sizeof leads / sizeof leads[0]; i++) {
        if (slice_starts_nocase(at, leads[i])) {
            struct slice host = host_run(skip_to_host(slice_from(at, leads[i].len)));

            if (is_host(host))
                return host;
        }
    }
    return SLICE_NONE;
}

/* The whole host name in which the word at that place stands; empty where it is none. */
static struct slice host_around(struct slice text, size_t at)
{
    size_t from = at;
    struct slice host;

    while (from > 0 && is_host_byte(text.ptr[from - 1]))
        from--;
    if (from > 0 && text.ptr[from - 1] == '@')
        return SLICE_NONE;
    host = host_run(slice_from(text, from));
    return is_host(host) ? host : SLICE_NONE;
}

static struct slice maker_at(struct slice text, size_t at)
{
    struct slice rest = slice_from(text, at), host;

    for (size_t i = 0; i < sizeof makers / sizeof makers[0]; i++) {
        if (!slice_starts_nocase(rest, makers[i].word))
            continue;
        host = host_around(text, at);
        return host.len > 0 ? host : makers[i].host;
    }
    return SLICE_NONE;
}

/* "dnsbl.example", "bl.example", "rbl-plus.example" */
static bool looks_like_list(struct slice host)
{
    static const struct slice labels[] = {{"bl.", 3},  {"dnsbl", 5}, {"rbl", 3},
                                          {"zen.", 4}, {"cbl.", 4},  {"ubl.", 4},
                                          {"sbl.", 4}, {"xbl.", 4},  {"pbl.", 4}};

    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        if (slice_starts_nocase(host, labels[i]))
            return is_host(host);
    }
    return false;
}

static struct slice list_at(struct slice text, size_t at)
{
    bool is_start = at == 0 || !is_host_byte(text.ptr[at - 1]);
    struct slice rest = slice_from(text, at), found;

    if (!is_start)
        return maker_at(text, at);
    found = after_lead(rest);
    if (found.len == 0)
        found = maker_at(text, at);
    if (found.len == 0 && (at == 0 || text.ptr[at - 1] != '@') && looks_like_list(host_run(rest)))
        found = host_run(rest);
    return found;
}

struct slice refusal_list(struct slice text, char room[REFUSAL_LIST_ROOM])
{
    for (size_t at = 0; at < text.len; at++) {
        struct slice found = list_at(text, at);

        if (found.len > 0)
            return lower(found, room);
    }
    return SLICE_NONE;
}

bool refusal_is_policy(struct slice dsn, struct slice text)
{
    char room[REFUSAL_LIST_ROOM];

    if (refusal_is_greylisting(text))
        return false;
    if (mail_text_starts(dsn, SLICE("5.7.")) || mail_text_starts(dsn, SLICE("4.7.")))
        return true;
    return refusal_list(text, room).len > 0;
}
