#include "collect/smtpd_summary.h"

#include "collect/mail_text.h"

static bool is_any(struct slice name, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (slice_equal(name, slice_str(*names)))
            return true;
    }
    return false;
}

/* Failed recipients and the like are policy, a good XCLIENT looks as if it had failed. */
static void summary_add(struct smtpd_summary *s, struct slice name, uint64_t good, uint64_t failed)
{
    static const char *const bad[] = {"unknown", "helo", "ehlo", "starttls", "etrn",
                                      "noop",    "rset", "vrfy", "help",     NULL};
    static const char *const data[] = {"data", "bdat", NULL};

    if (is_any(name, bad))
        s->bad += failed;
    else if (is_any(name, data))
        s->messages += good;
    else if (slice_equal(name, SLICE("auth")))
        s->auth_failed += failed;
}

void smtpd_summary_read(struct slice text, struct smtpd_summary *s)
{
    struct slice rest = text, name, value, part;
    uint64_t good, all;

    *s = (struct smtpd_summary){0, 0, 0};
    while (mail_text_pair(&rest, false, &name, &value)) {
        if (!slice_cut(&value, '/', &part) || !slice_number(part, &good))
            continue;
        if (!slice_cut(&value, '/', &part) || !slice_number(part, &all) || all < good)
            all = good;
        summary_add(s, name, good, all - good);
    }
}
