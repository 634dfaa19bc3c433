#include "relay/smtp_command.h"

#include "t/tap.h"

static void test_verbs(void)
{
    static const struct {
        const char *line;
        enum smtp_verb verb;
        const char *argument;
    } cases[] = {
        {"EHLO mx.test", SMTP_EHLO, "mx.test"},
        {"mail FROM:<a@b>", SMTP_MAIL, "FROM:<a@b>"},
        {"DATA", SMTP_DATA, ""},
        {"DATA  ", SMTP_DATA, ""},
        {"StartTls", SMTP_STARTTLS, ""},
        {"DATAX", SMTP_UNKNOWN, ""},
        {"MAILFROM:<a@b>", SMTP_UNKNOWN, ""},
        {"XYZ one two", SMTP_UNKNOWN, "one two"},
        {"", SMTP_UNKNOWN, ""},
        {"   ", SMTP_UNKNOWN, ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice argument;

        IS_INT(smtp_command_verb(slice_str(cases[i].line), &argument), cases[i].verb,
               cases[i].line);
        IS_SLICE(argument, slice_str(cases[i].argument), "its argument");
    }
    IS_STR(smtp_command_verb_name(SMTP_RCPT), "RCPT", "a verb's name");
    IS_STR(smtp_command_verb_name(SMTP_UNKNOWN), "(unknown)", "no verb's name");
}

struct path_case {
    const char *argument;
    enum smtp_path_fault fault;
    const char *path;
    size_t params;
};

static void settings_check_paths(enum smtp_verb verb, const struct path_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct smtp_path p;

        IS_INT(smtp_command_path_parse(slice_str(cases[i].argument), verb, &p), cases[i].fault,
               cases[i].argument);
        if (cases[i].fault == SMTP_PATH_OK) {
            IS_SLICE(p.text, slice_str(cases[i].path), "its path");
            IS_INT(p.param_count, cases[i].params, "its parameters");
        }
    }
}

static void test_mail(void)
{
    static const struct path_case cases[] = {
        {"FROM:<a@b.test>", SMTP_PATH_OK, "<a@b.test>", 0},
        {"from: <a@b.test>", SMTP_PATH_OK, "<a@b.test>", 0},
        {"FROM:a@b.test SIZE=1", SMTP_PATH_OK, "a@b.test", 1},
        {"FROM:<>", SMTP_PATH_OK, "<>", 0},
        {"FROM:<\"a> b\"@c.test> BODY=8BITMIME", SMTP_PATH_OK, "<\"a> b\"@c.test>", 1},
        {"FROM:<\"a\\\"> b\"@c.test>", SMTP_PATH_OK, "<\"a\\\"> b\"@c.test>", 0},
        {"FROM:<@x,@y:a@b.test>", SMTP_PATH_OK, "<@x,@y:a@b.test>", 0},
        {"FROM:<a@b> SIZE=10 BODY=7BIT SMTPUTF8 AUTH=<>", SMTP_PATH_OK, "<a@b>", 4},
        {"FROM:", SMTP_PATH_SYNTAX, "", 0},
        {"FROM", SMTP_PATH_SYNTAX, "", 0},
        {"TO:<a@b>", SMTP_PATH_SYNTAX, "", 0},
        {"FROM:<a@b", SMTP_PATH_BAD_ADDRESS, "", 0},
        {"FROM:<\"a@b>", SMTP_PATH_BAD_ADDRESS, "", 0},
        {"FROM:\"a b", SMTP_PATH_BAD_ADDRESS, "", 0},
        {"FROM:<a@b>SIZE=1", SMTP_PATH_BAD_ADDRESS, "", 0},
        {"FROM:<a@b\\", SMTP_PATH_BAD_ADDRESS, "", 0},
        {"FROM:<\"a\tb\"@c.test>", SMTP_PATH_BAD_ADDRESS, "", 0},
        {"FROM:<a\x7f@b>", SMTP_PATH_BAD_ADDRESS, "", 0},
        {"FROM:<a@b> SIZE=", SMTP_PATH_BAD_PARAM, "", 0},
        {"FROM:<a@b> SIZE=-1", SMTP_PATH_BAD_PARAM, "", 0},
        {"FROM:<a@b> SIZE=99999999999999999999999", SMTP_PATH_BAD_PARAM, "", 0},
        {"FROM:<a@b> BODY=9BIT", SMTP_PATH_BAD_PARAM, "", 0},
        {"FROM:<a@b> SMTPUTF8=yes", SMTP_PATH_BAD_PARAM, "", 0},
        {"FROM:<a@b> SIZE", SMTP_PATH_NO_PARAM, "", 0},
        {"FROM:<a@b> RET=HDRS", SMTP_PATH_NO_PARAM, "", 0},
        {"FROM:<a@b> SIZE=1 SIZE=1 SIZE=1 SIZE=1 SIZE=1 SIZE=1 SIZE=1 SIZE=1 SIZE=1 SIZE=1 SIZE=1 "
         "SIZE=1 SIZE=1 SIZE=1 SIZE=1 SIZE=1 SIZE=1",
         SMTP_PATH_BAD_PARAM, "", 0},
    };
    struct smtp_path p;

    settings_check_paths(SMTP_MAIL, cases, sizeof cases / sizeof cases[0]);
    (void)smtp_command_path_parse(SLICE("FROM:<a@b> size=42 body=8bitmime smtputf8"), SMTP_MAIL,
                                  &p);
    OK(p.has_size && p.size_bytes == 42 && p.body == SMTP_BODY_8BITMIME && p.smtputf8,
       "parameters in any case");
}

static void test_rcpt(void)
{
    static const struct path_case cases[] = {
        {"TO:<a@b.test>", SMTP_PATH_OK, "<a@b.test>", 0},
        {"TO:<postmaster>", SMTP_PATH_OK, "<postmaster>", 0},
        {"TO:<a@b> NOTIFY=NEVER", SMTP_PATH_NO_PARAM, "", 0},
        {"TO:<a@b> SIZE=1", SMTP_PATH_NO_PARAM, "", 0},
        {"FROM:<a@b>", SMTP_PATH_SYNTAX, "", 0},
    };

    settings_check_paths(SMTP_RCPT, cases, sizeof cases / sizeof cases[0]);
}

int main(void)
{
    test_verbs();
    test_mail();
    test_rcpt();
    OK(smtp_command_has_8bit(SLICE("a\xc3")) && !smtp_command_has_8bit(SLICE("a~")), "8-bit");
    OK(smtp_command_has_control(SLICE("a\t")) && smtp_command_has_control(SLICE("\x7f")) &&
           !smtp_command_has_control(SLICE("a b")),
       "control bytes");
    OK(smtp_command_has_two_ats(SLICE("a@b@c")) && !smtp_command_has_two_ats(SLICE("\"a@b\"@c")) &&
           !smtp_command_has_two_ats(SLICE("a\\@b@c")) && !smtp_command_has_two_ats(SLICE("a")),
       "one @ outside quotes");
    return tap_done();
}
