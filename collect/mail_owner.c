#include "collect/mail.h"

/* May the sender's domain pay? Only of those who are known to be ours. */
static bool is_ours(const struct machine *m, const struct mail *mail)
{
    return mail->login.len > 0 || (mail->flags & MAIL_BY_PICKUP) != 0 ||
           owners_is_host(m->owners, mail->client) || owners_is_customer(m->owners, mail->client);
}

bool mail_owner(struct machine *m, const struct mail *mail, struct payer *payer)
{
    bool is_known;

    *payer = PAYER_NONE;
    if ((mail->flags & MAIL_BY_PARENT) != 0) {
        *payer = (struct payer){mail->domain, mail->user};
        return true;
    }
    if (mail->login.len > 0 && owners_login(m->owners, mail->login, payer))
        return true;
    is_known = (mail->flags & (MAIL_BY_SMTP | MAIL_BY_PICKUP)) != 0;
    if (is_known && is_ours(m, mail))
        TG_IGNORE(owners_address(m->owners, mail->sender, payer)); /* nobody's: PAYER_NONE */
    return is_known && (mail->flags & MAIL_MAYBE_FILTERED) == 0;
}
