/* Which list a refusal names, and what is policy. */
#include "t/tap.h"

#include "collect/refusal.h"

static const struct {
    const char *text, *list;
} lists[] = {
    {"554 5.7.1 your address is listed at bl.example", "bl.example"},
    {"554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org; "
     "https://www.spamhaus.org/query/ip/192.0.2.1",
     "zen.spamhaus.org"},
    {"550 5.7.1 Client host [192.0.2.1] blocked using Spamhaus. To request removal see "
     "https://www.spamhaus.org/lookup.lasso",
     "spamhaus.org"},
    {"550 Rejected: 192.0.2.1 listed at BL.SpamCop.net.", "bl.spamcop.net"},
    {"554 5.7.1 Your IP is blacklisted: see "
     "http://www.barracudanetworks.com/reputation/?ip=1.2.3.4",
     "barracudanetworks.com"},
    {"550-5.7.1 rejected because 192.0.2.1 is in a black list at dnsbl.sorbs.net",
     "dnsbl.sorbs.net"},
    {"571 Email from 192.0.2.1 is currently blocked by Verizon Online's anti-spam system", ""},
    {"550 5.7.1 Message rejected due to UCEPROTECT level 2", "uceprotect.net"},
    {"554 refused (dnsbl: b.barracudacentral.org)", "b.barracudacentral.org"},
    {"550 5.7.606 Access denied, banned sending IP [192.0.2.1]. To request removal, visit "
     "https://sender.office.com/",
     ""},
    {"550 5.1.1 <user@bl.example>: no such user", ""},
    {"550 5.7.1 <x@spamhaus.org>: Relay access denied", "spamhaus.org"},
    {"421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred; see "
     "https://postmaster.yahooinc.com/error-codes.html",
     ""},
    {"554 5.7.1 found in the rbl-plus.mail-abuse.example list", "rbl-plus.mail-abuse.example"},
    {"554 5.7.1 blocked using (psbl.surriel.com)", "psbl.surriel.com"},
    {"", ""},
    {"blocked using", ""},
    {"blocked using 192.0.2.1", ""},
};

static const struct {
    const char *dsn, *text;
    bool is_policy;
} policies[] = {
    {"5.7.1", "554 5.7.1 message refused as spam", true},
    {"4.7.0", "421 4.7.0 unsolicited mail", true},
    {"4.7.1", "450 4.7.1 Greylisted, try again in 300 s", false},
    {"4.2.0", "450 4.2.0 see http://postgrey.example/", false},
    {"5.1.1", "550 5.1.1 no such user", false},
    {"5.0.0", "550 listed at bl.example", true},
    {"", "", false},
};

int main(void)
{
    char room[REFUSAL_LIST_ROOM];

    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        IS_SLICE(refusal_list(slice_str(lists[i].text), room), slice_str(lists[i].list),
                 lists[i].text);
    for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++)
        OK(refusal_is_policy(slice_str(policies[i].dsn), slice_str(policies[i].text)) ==
               policies[i].is_policy,
           policies[i].text);
    return tap_done();
}
