/* Whatever a server says: the client ends, every target then has an outcome, and nothing is sent
 * twice. */
#include "lib/core/err.h"
#include "relay/smtp_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte: how many targets, TLS or not, flags of the message. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_from((struct slice){(const char *)data, size}, 1);
    uint8_t flags = size > 0 ? data[0] : 0;
    struct smtp_target targets[4] = {{.address = SLICE("a@y.test")},
                                     {.address = SLICE("b@y.test")},
                                     {.address = SLICE("c@y.test")},
                                     {.address = SLICE("d@y.test")}};
    struct smtp_job job = {.hostname = "me.test",
                           .sender = SLICE("a@x.test"),
                           .smtputf8 = (flags & 4) != 0,
                           .eightbit = (flags & 8) != 0,
                           .text_bytes = 100,
                           .tls = (enum smtp_tls)((flags >> 4) % 3),
                           .targets = targets,
                           .target_count = (size_t)(flags & 3) + 1};
    struct smtp_client c;
    struct arena arena;

    arena_init(&arena, (size_t)1 << 22);
    smtp_client_init(&c, &job, &arena);
    while (in.len > 0 && !c.is_over) {
        smtp_client_take(&c, slice_to(in, 11));
        in = slice_from(in, 11);
        TG_ASSERT(c.sent <= job.target_count && c.answered <= c.sent);
        TG_ASSERT(c.line.len <= 4096 && c.reply.len <= 16384);
        if (c.wants_tls)
            smtp_client_tls(&c);
        if (c.wants_text)
            smtp_client_text_end(&c);
        buf_reset(&c.out);
    }
    smtp_client_lost(&c, "4.4.2 lost");
    for (size_t i = 0; i < job.target_count; i++) {
        TG_ASSERT(targets[i].outcome != SMTP_OUTCOME_NONE);
        TG_ASSERT(targets[i].outcome != SMTP_OUTCOME_DONE || targets[i].accepted);
    }
    smtp_client_fini(&c);
    arena_fini(&arena);
    return 0;
}
