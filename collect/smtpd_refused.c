#include "collect/smtpd_refused.h"

#include "collect/mail_text.h"
#include "collect/refusal.h"
#include "lib/core/limit_reply.h"

static bool has_any(struct slice text, const struct slice *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (mail_text_has(text, words[i]))
            return true;
    }
    return false;
}

#define HAS_ANY(text, words) has_any((text), (words), sizeof(words) / sizeof(words)[0])

/* Up to " from=<" or "; from=<": what was said, without the addresses that the client chose. */
static struct slice said(struct slice text)
{
    struct slice rest = mail_text_after(text, SLICE("; from=<"));

    return rest.len > 0 ? slice_to(text, (size_t)(rest.ptr - text.ptr)) : text;
}

/* "450 4.3.1 ...": the enhanced status code, or the code. */
static struct slice status_of(struct slice text)
{
    struct slice rest = text, first, second;

    if (!slice_word(&rest, " -", &first))
        return SLICE_NONE;
    return slice_word(&rest, " ", &second) && second.len >= 5 && second.ptr[1] == '.' ? second
                                                                                      : first;
}

/* The server's own trouble: no room, too large, a milter that does not work. */
static bool is_own_trouble(struct slice text)
{
    static const struct slice words[] = {{"Service unavailable - try again later", 37},
                                         {"Server configuration", 20},
                                         {"Sending limits cannot be checked", 32},
                                         {"Mail accounting is not ready", 28}};
    struct slice status = status_of(text);

    return (status.len >= 5 && status.ptr[2] == '3') || HAS_ANY(text, words);
}

bool smtpd_refused(struct slice stage, struct slice text)
{
    static const struct slice early[] = {{"CONNECT", 7}, {"HELO", 4}, {"EHLO", 4}, {"MAIL", 4}};
    static const struct slice causes[] = {
        {"Client host rejected", 20},  {"Client host [", 13},
        {"blocked using", 13},         {"Sender address rejected", 23},
        {"Sender address [", 16},      {"Relay access denied", 19},
        {"Helo command rejected", 21}, {"Unverified Client host rejected", 31}};
    struct slice words = said(text);

    if (limit_reply_is(words) || refusal_is_greylisting(words) || is_own_trouble(words))
        return false;
    for (size_t i = 0; i < sizeof early / sizeof early[0]; i++) {
        if (slice_equal(stage, early[i]))
            return true;
    }
    return HAS_ANY(words, causes);
}

bool smtpd_refused_rate(struct slice text)
{
    return mail_text_has(text, SLICE(" limit exceeded: ")) &&
           mail_text_has(text, SLICE(" from ")) && mail_text_has(text, SLICE(" for service "));
}
