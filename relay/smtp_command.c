#include "relay/smtp_command.h"

static const struct {
    const char *name;
    enum smtp_verb verb;
} verbs[] = {
    {"HELO", SMTP_HELO}, {"EHLO", SMTP_EHLO},         {"MAIL", SMTP_MAIL},
    {"RCPT", SMTP_RCPT}, {"DATA", SMTP_DATA},         {"RSET", SMTP_RSET},
    {"NOOP", SMTP_NOOP}, {"VRFY", SMTP_VRFY},         {"EXPN", SMTP_EXPN},
    {"HELP", SMTP_HELP}, {"QUIT", SMTP_QUIT},         {"STARTTLS", SMTP_STARTTLS},
    {"AUTH", SMTP_AUTH}, {"(unknown)", SMTP_UNKNOWN},
};

enum smtp_verb smtp_command_verb(struct slice line, struct slice *argument)
{
    struct slice word;

    *argument = SLICE_NONE;
    if (!slice_word(&line, " ", &word))
        return SMTP_UNKNOWN;
    *argument = slice_trim(line);
    for (size_t i = 0; verbs[i].verb != SMTP_UNKNOWN; i++) {
        if (slice_equal_nocase(word, slice_str(verbs[i].name)))
            return verbs[i].verb;
    }
    return SMTP_UNKNOWN;
}

const char *smtp_command_verb_name(enum smtp_verb verb)
{
    size_t i = 0;

    while (verbs[i].verb != verb && verbs[i].verb != SMTP_UNKNOWN)
        i++;
    return verbs[i].name;
}

bool smtp_command_has_8bit(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] > 0x7f)
            return true;
    }
    return false;
}

bool smtp_command_has_control(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f)
            return true;
    }
    return false;
}

bool smtp_command_has_two_ats(struct slice address)
{
    bool quoted = false;
    int count = 0;

    for (size_t i = 0; i < address.len; i++) {
        if (address.ptr[i] == '\\')
            i++;
        else if (address.ptr[i] == '"')
            quoted = !quoted;
        else if (!quoted && address.ptr[i] == '@')
            count++;
    }
    return count > 1;
}

/* The path ends behind the first `>`, or at the first blank, outside quoted strings. */
static ptrdiff_t path_end(struct slice s)
{
    bool bracket = s.len > 0 && s.ptr[0] == '<', quoted = false;

    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && bracket && c == '>')
            return (ptrdiff_t)i + 1;
        else if (!quoted && !bracket && c == ' ')
            return (ptrdiff_t)i;
    }
    return bracket || quoted ? -1 : (ptrdiff_t)s.len;
}

static enum smtp_path_fault param_size(struct slice value, struct smtp_path *out)
{
    if (value.len > 20 || !slice_number(value, &out->size_bytes))
        return SMTP_PATH_BAD_PARAM;
    out->has_size = true;
    return SMTP_PATH_OK;
}

static enum smtp_path_fault param_body(struct slice value, struct smtp_path *out)
{
    if (slice_equal_nocase(value, SLICE("8BITMIME")))
        out->body = SMTP_BODY_8BITMIME;
    else if (!slice_equal_nocase(value, SLICE("7BIT")))
        return SMTP_PATH_BAD_PARAM;
    return SMTP_PATH_OK;
}

/* SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531), AUTH (RFC 4954; read, and treated as
 * `<>`). */
static enum smtp_path_fault mail_param(struct slice param, struct smtp_path *out)
{
    struct slice name, value = param;
    bool has_value = slice_find(param, '=') >= 0;

    (void)slice_cut(&value, '=', &name);
    if (slice_equal_nocase(name, SLICE("SIZE")) && has_value)
        return param_size(value, out);
    if (slice_equal_nocase(name, SLICE("BODY")) && has_value)
        return param_body(value, out);
    if (slice_equal_nocase(name, SLICE("AUTH")) && has_value)
        return SMTP_PATH_OK;
    if (!slice_equal_nocase(name, SLICE("SMTPUTF8")))
        return SMTP_PATH_NO_PARAM;
    out->smtputf8 = true;
    return has_value ? SMTP_PATH_BAD_PARAM : SMTP_PATH_OK;
}

static enum smtp_path_fault parse_params(struct slice rest, enum smtp_verb verb,
                                         struct smtp_path *out)
{
    struct slice param;

    while (slice_word(&rest, " ", &param)) {
        enum smtp_path_fault fault;

        if (out->param_count == SMTP_PARAMS_MAX)
            return SMTP_PATH_BAD_PARAM;
        out->params[out->param_count++] = param;
        fault = verb == SMTP_MAIL ? mail_param(param, out) : SMTP_PATH_NO_PARAM;
        if (fault != SMTP_PATH_OK)
            return fault;
    }
    return SMTP_PATH_OK;
}

enum smtp_path_fault smtp_command_path_parse(struct slice argument, enum smtp_verb verb,
                                             struct smtp_path *out)
{
    struct slice prefix = verb == SMTP_MAIL ? SLICE("FROM:") : SLICE("TO:");
    struct slice rest;
    ptrdiff_t end;

    *out = (struct smtp_path){.text = SLICE_NONE};
    if (!slice_starts_nocase(argument, prefix))
        return SMTP_PATH_SYNTAX;
    rest = slice_trim(slice_from(argument, prefix.len));
    end = path_end(rest);
    if (end < 0)
        return SMTP_PATH_BAD_ADDRESS;
    out->text = slice_to(rest, (size_t)end);
    rest = slice_from(rest, (size_t)end);
    if (out->text.len == 0)
        return SMTP_PATH_SYNTAX;
    if (smtp_command_has_control(out->text))
        return SMTP_PATH_BAD_ADDRESS;
    if (rest.len > 0 && rest.ptr[0] != ' ')
        return SMTP_PATH_BAD_ADDRESS;
    return parse_params(rest, verb, out);
}
