/* The words for classes, origins and rules. */
#include "lib/core/classify.h"

const char *classify_class_name(enum mail_class c)
{
    static const char *const names[] = {"in", "local", "out", "forward", "relay"};

    return names[c];
}

const char *classify_origin_name(enum origin o)
{
    static const char *const names[] = {"host", "submitter", "outside"};

    return names[o];
}

const char *classify_rule_text(enum rule rule)
{
    static const char *const texts[] = {
        [RULE_HOSTED_FROM_OUTSIDE] =
            "hosted recipient, from outside: charged to the recipient's domain",
        [RULE_HOSTED_FROM_HERE] =
            "hosted recipient, from this server's own users: local, sent by the owner and "
            "received by the recipient's domain, never billed",
        [RULE_SUBMITTED] = "recipient elsewhere, submitted by a user: charged to the owner",
        [RULE_HOST_SENDER] =
            "recipient elsewhere, from this host with a hosted sender: charged to the owner",
        [RULE_SRS] =
            "recipient elsewhere, from this host with a sender rewritten by a forwarder (SRS): "
            "forward, charged to the rewriting domain",
        [RULE_REDIRECT_HEADER] =
            "recipient elsewhere, from this host, passed on by a hosted mailbox that "
            "Delivered-To, X-Original-To or Resent-From names: forward, charged to its domain",
        [RULE_NULL_FROM_HEADER] =
            "recipient elsewhere, from this host with the null sender: charged to the hosted "
            "domain of From:, else to nobody",
        [RULE_FORWARDED_UNKNOWN] =
            "recipient elsewhere, from this host with a sender that is not hosted, and no "
            "header field that tells who passed it on: forward, charged to nobody",
        [RULE_NOT_HOSTED] = "not hosted, from outside: relayed (missing from the hosted set?)",
        [RULE_FORWARDER] = "target of a forwarder: forward, charged to the forwarder's domain",
        [RULE_RECIPIENT_COPY] =
            "copy elsewhere of a recipient's mail (recipient_bcc_maps): forward, charged to the "
            "recipient's domain; of a recipient elsewhere: charged like that recipient",
        [RULE_SENDER_COPY] =
            "copy elsewhere of a sender's mail (sender_bcc_maps): out, charged to the owner",
    };

    return texts[rule];
}
