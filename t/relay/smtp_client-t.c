#include "relay/smtp_client.h"

#include "t/tap.h"

struct fixture {
    struct smtp_client client;
    struct smtp_job job;
    struct smtp_target targets[60];
    struct arena arena;
};

static void begin(struct fixture *f, size_t targets)
{
    static char names[60][16];

    *f = (struct fixture){.job = {.hostname = "me.test",
                                  .sender = SLICE("a@x.test"),
                                  .text_bytes = 100,
                                  .targets = f->targets,
                                  .target_count = targets}};
    for (size_t i = 0; i < targets; i++) {
        (void)snprintf(names[i], sizeof names[i], "r%zu@y.test", i);
        f->targets[i].address = slice_str(names[i]);
    }
    arena_init(&f->arena, 1 << 20);
    smtp_client_init(&f->client, &f->job, &f->arena);
}

static void end(struct fixture *f)
{
    smtp_client_fini(&f->client);
    arena_fini(&f->arena);
}

/* What is said in answer to that. */
static void hear(struct fixture *f, const char *reply, const char *want)
{
    buf_reset(&f->client.out);
    smtp_client_take(&f->client, slice_str(reply));
    IS_SLICE(buf_slice(&f->client.out), slice_str(want), "says");
}

static void outcome(const struct fixture *f, size_t i, enum smtp_outcome want, const char *text)
{
    IS_INT(f->targets[i].outcome, want, "outcome");
    IS_SLICE(f->targets[i].text, slice_str(text), "its text");
}

static void test_plain(void)
{
    struct fixture f;

    begin(&f, 2);
    hear(&f, "220 hi\r\n", "EHLO me.test\r\n");
    hear(&f, "250-y.test\r\n250-SIZE 1000\r\n250 8BITMIME\r\n",
         "MAIL FROM:<a@x.test> SIZE=100\r\n");
    hear(&f, "250 ok\r\n", "RCPT TO:<r0@y.test>\r\n");
    hear(&f, "250 ok\r\n", "RCPT TO:<r1@y.test>\r\n");
    hear(&f, "550 5.1.1 nobody\r\n", "DATA\r\n");
    hear(&f, "354 go\r\n", "");
    OK(f.client.wants_text, "the text is wanted");
    smtp_client_text(&f.client, SLICE("a\r\n.b"));
    smtp_client_text_end(&f.client);
    IS_SLICE(buf_slice(&f.client.out), SLICE("a\r\n..b\r\n.\r\n"), "stuffed, and ended");
    OK(!f.client.wants_text, "no more");
    hear(&f, "250 2.0.0 got it\r\n", "QUIT\r\n");
    OK(f.client.is_over, "over");
    outcome(&f, 0, SMTP_OUTCOME_DONE, "250 2.0.0 got it");
    outcome(&f, 1, SMTP_OUTCOME_NEVER, "550 5.1.1 nobody");
    end(&f);
}

#define PIPELINED "220 hi\r\n250-y\r\n250-PIPELINING\r\n250 SMTPUTF8\r\n"

static void test_pipelined(void)
{
    struct fixture f;

    begin(&f, 2);
    hear(&f, PIPELINED,
         "EHLO me.test\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<r0@y.test>\r\nRCPT "
         "TO:<r1@y.test>\r\nDATA\r\n");
    hear(&f, "250 1\r\n452 full\r\n250 3\r\n354 go\r\n", "");
    OK(f.client.wants_text, "one is enough");
    smtp_client_text_end(&f.client);
    hear(&f, "451-4.3.0 not\r\n451 4.3.0 now\r\n", "QUIT\r\n");
    outcome(&f, 0, SMTP_OUTCOME_LATER, "452 full");
    outcome(&f, 1, SMTP_OUTCOME_LATER, "451-4.3.0 not 4.3.0 now");
    end(&f);
    begin(&f, 1);
    (void)f;
    hear(&f, PIPELINED, "EHLO me.test\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<r0@y.test>\r\nDATA\r\n");
    hear(&f, "250 1\r\n550 no\r\n354 go\r\n", ".\r\n");
    hear(&f, "554 no recipients\r\n", "QUIT\r\n");
    outcome(&f, 0, SMTP_OUTCOME_NEVER, "550 no");
    end(&f);
    begin(&f, 60);
    buf_reset(&f.client.out);
    smtp_client_take(&f.client, SLICE(PIPELINED));
    IS_INT(f.client.sent, 50, "no more than 50 under way");
    smtp_client_take(&f.client, SLICE("250 mail\r\n250 r0\r\n"));
    IS_INT(f.client.sent, 51, "another for each that is answered");
    end(&f);
}

struct fault {
    const char *what, *replies;
    enum smtp_outcome outcome;
};

static void test_faults(void)
{
    static const struct fault cases[] = {
        {"closed altogether", "554 no\r\n", SMTP_OUTCOME_LATER},
        {"busy", "421 busy\r\n", SMTP_OUTCOME_LATER},
        {"no SMTP", "SSH-2.0\r\n", SMTP_OUTCOME_LATER},
        {"a code out of range", "999 hm\r\n", SMTP_OUTCOME_LATER},
        {"EHLO later", "220 x\r\n450 later\r\n", SMTP_OUTCOME_LATER},
        {"HELO refused too", "220 x\r\n500 what\r\n550 no\r\n", SMTP_OUTCOME_LATER},
        {"MAIL refused", "220 x\r\n250 x\r\n553 no\r\n", SMTP_OUTCOME_NEVER},
        {"MAIL later", "220 x\r\n250 x\r\n450 later\r\n", SMTP_OUTCOME_LATER},
        {"RCPT 552 stands for 452", "220 x\r\n250 x\r\n250 x\r\n552 full\r\n", SMTP_OUTCOME_LATER},
        {"RCPT 3xx", "220 x\r\n250 x\r\n250 x\r\n354 hm\r\n", SMTP_OUTCOME_LATER},
        {"DATA refused", "220 x\r\n250 x\r\n250 x\r\n250 x\r\n554 no\r\n", SMTP_OUTCOME_NEVER},
        {"DATA later", "220 x\r\n250 x\r\n250 x\r\n250 x\r\n451 no\r\n", SMTP_OUTCOME_LATER},
        {"DATA 250", "220 x\r\n250 x\r\n250 x\r\n250 x\r\n250 hm\r\n", SMTP_OUTCOME_LATER},
        {"421 in the middle", "220 x\r\n250 x\r\n250 x\r\n421 bye\r\n", SMTP_OUTCOME_LATER},
        {"too large", "220 x\r\n250-x\r\n250 SIZE 99\r\n", SMTP_OUTCOME_NEVER},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;

        begin(&f, 1);
        smtp_client_take(&f.client, slice_str(cases[i].replies));
        IS_INT(f.targets[0].outcome, cases[i].outcome, cases[i].what);
        OK(f.client.is_over, "and it is over");
        end(&f);
    }
}

static void test_bounds(void)
{
    struct fixture f;

    begin(&f, 1);
    for (int i = 0; i < 1000 && !f.client.is_over; i++)
        smtp_client_take(&f.client, SLICE("2200000000000"));
    OK(f.client.is_over && f.targets[0].outcome == SMTP_OUTCOME_LATER, "an endless line");
    end(&f);
    begin(&f, 1);
    for (int i = 0; i < 10000 && !f.client.is_over; i++)
        smtp_client_take(&f.client, SLICE("220-and so on and on\r\n"));
    OK(f.client.is_over && f.targets[0].outcome == SMTP_OUTCOME_LATER, "an endless reply");
    end(&f);
    begin(&f, 1);
    smtp_client_take(&f.client, SLICE("220 x\r\n"));
    smtp_client_lost(&f.client, "4.4.2 gone");
    outcome(&f, 0, SMTP_OUTCOME_LATER, "4.4.2 gone");
    end(&f);
}

static void test_extensions(void)
{
    struct fixture f;

    begin(&f, 1);
    f.job.smtputf8 = f.job.eightbit = true;
    smtp_client_take(&f.client, SLICE("220 x\r\n"));
    hear(&f, "250-x\r\n250-8bitmime\r\n250 SMTPUTF8\r\n",
         "MAIL FROM:<a@x.test> BODY=8BITMIME SMTPUTF8\r\n");
    end(&f);
    begin(&f, 1);
    f.job.smtputf8 = true;
    smtp_client_take(&f.client, SLICE("220 x\r\n250 x\r\n"));
    OK(f.targets[0].outcome == SMTP_OUTCOME_NEVER &&
           slice_starts_nocase(f.targets[0].text, SLICE("550 5.6.7")),
       "a server without SMTPUTF8 cannot have it");
    end(&f);
    begin(&f, 1);
    hear(&f, "220 x\r\n502 what?\r\n", "EHLO me.test\r\nHELO me.test\r\n");
    hear(&f, "250 x\r\n", "MAIL FROM:<a@x.test>\r\n");
    end(&f);
}

static void test_tls(void)
{
    struct fixture f;

    begin(&f, 1);
    f.job.tls = SMTP_TLS_MAY;
    hear(&f, "220 x\r\n250-x\r\n250-PIPELINING\r\n250 STARTTLS\r\n",
         "EHLO me.test\r\nSTARTTLS\r\n");
    hear(&f, "220 go\r\n250-injected\r\n250 SIZE 1\r\n", "");
    OK(f.client.wants_tls, "TLS begins");
    buf_reset(&f.client.out);
    smtp_client_tls(&f.client);
    IS_SLICE(buf_slice(&f.client.out), SLICE("EHLO me.test\r\n"), "and all is asked anew");
    hear(&f, "250 x\r\n", "MAIL FROM:<a@x.test>\r\n");
    end(&f);
    begin(&f, 1);
    f.job.tls = SMTP_TLS_MAY;
    smtp_client_take(&f.client, SLICE("220 x\r\n250-x\r\n250 STARTTLS\r\n"));
    hear(&f, "454 not now\r\n", "MAIL FROM:<a@x.test>\r\n");
    end(&f);
    begin(&f, 1);
    f.job.tls = SMTP_TLS_MUST;
    smtp_client_take(&f.client, SLICE("220 x\r\n250 x\r\n"));
    IS_INT(f.targets[0].outcome, SMTP_OUTCOME_LATER, "required, but not offered");
    end(&f);
}

int main(void)
{
    test_plain();
    test_pipelined();
    test_faults();
    test_bounds();
    test_extensions();
    test_tls();
    return tap_done();
}
