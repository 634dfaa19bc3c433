#include "lib/sys/settings_table.h"

#include "lib/sys/settings_check.h"
#include "lib/sys/settings_choices.h"

#define AT(member) offsetof(struct settings, member)
#define MS         INT64_C(1)
#define SECOND     (1000 * MS)
#define MINUTE     (60 * SECOND)
#define HOUR       (60 * MINUTE)
#define MB         ((int64_t)1 << 20)
#define GB         ((int64_t)1 << 30)
#define DAY        (24 * HOUR)

const struct setting settings_table[] = {
    {"node", SETTING_TEXT, "", AT(node), .max = 64, .check = settings_check_node,
     .help = "Name of this machine in accounts and keys; different on each node. Empty: the host "
             "name."},
    {"timezone", SETTING_TEXT, "UTC", AT(timezone), .min = 1, .max = 255,
     .check = settings_check_zone, .help = "Time zone of days and months; the same on all nodes."},
    {"state_dir", SETTING_TEXT, "/var/lib/tollgate", AT(state_dir), .min = 1, .max = 85,
     .check = settings_check_path,
     .help = "Directory of the journal, the ledger and the private Redis."},
    {"user", SETTING_TEXT, "tollgate", AT(user), .max = 64, .check = settings_check_account,
     .help = "Account to which the daemon changes if it is started as root. Empty: no change."},
    {"log.target", SETTING_CHOICE, "syslog", AT(log.target), .choices = settings_choices_targets,
     .reloadable = true, .help = "Destination of the log."},
    {"log.facility", SETTING_CHOICE, "mail", AT(log.facility),
     .choices = settings_choices_facilities, .reloadable = true, .help = "Syslog facility."},
    {"log.level", SETTING_CHOICE, "info", AT(log.level), .choices = settings_choices_levels,
     .reloadable = true, .help = "Least important level that is logged."},
    {"milter.socket", SETTING_TEXT, "unix:/var/spool/postfix/tollgate/milter.sock",
     AT(milter.socket), .min = 1, .max = 300, .check = settings_check_socket,
     .help = "Socket on which the MTA reaches the milter: unix:/path, inet:port@host or "
             "inet6:port@host."},
    {"milter.mode", SETTING_MODE, "0660", AT(milter.mode), .max = 0777,
     .help = "Mode of the Unix socket, octal, in quotes."},
    {"milter.group", SETTING_TEXT, "postfix", AT(milter.group), .max = 64,
     .check = settings_check_account,
     .help = "Group of the Unix socket, which gives the MTA access. Empty: unchanged."},
    {"milter.timeout", SETTING_TIME, "2h", AT(milter.timeout_ms), .min = 10 * SECOND,
     .max = 24 * HOUR,
     .help =
         "Time after which a session in which the MTA is silent is closed. The MTA is silent while "
         "it receives a message, which takes long on a slow line."},
    {"milter.engine", SETTING_TEXT, "native", AT(milter.engine), .min = 1, .max = 64,
     .check = settings_check_engine,
     .help = "Implementation of the milter protocol: native (an event loop in a few threads), or "
             "libmilter (Sendmail's library, which takes several times as long)."},
    {"milter.threads", SETTING_NUMBER, "0", AT(milter.threads), .min = 0,
     .max = SETTINGS_THREADS_MAX,
     .help = "Threads of the native engine, each with an event loop for many sessions. 0: half as "
             "many as there are processors, from 1 to 4, for the MTA and Redis need the others."},
    {"store.url", SETTING_TEXT, "private:", AT(store.url), .min = 1, .max = 1024,
     .check = settings_check_url, .secret = true,
     .help =
         "Redis server of the figures: private: (a server of Tollgate's own, on a socket in "
         "state_dir), unix:///path, redis://host:port/db, sentinel://host:port,host:port/name (the "
         "master that sentinels name) or cluster://host:port,host:port (some of its servers). With "
         "TLS: rediss://, rediss+sentinel://, rediss+cluster://. "
         "user:password@ may precede the hosts."},
    {"store.prefix", SETTING_TEXT, "tg", AT(store.prefix), .min = 1, .max = 64,
     .check = settings_check_prefix, .help = "Prefix of the names of all keys."},
    {"store.timeout", SETTING_TIME, "250ms", AT(store.timeout_ms), .min = 10 * MS,
     .max = 10 * SECOND, .reloadable = true, .help = "Timeout for a Redis reply."},
    {"store.on_failure", SETTING_CHOICE, "local", AT(store.on_failure),
     .choices = settings_choices_failures, .reloadable = true,
     .help = "How limits are applied while Redis is unreachable. local: each process limits by "
             "itself, with each limit divided by store.nodes; accept: no limits apply; defer: "
             "messages to which a limit applies are deferred."},
    {"store.nodes", SETTING_NUMBER, "1", AT(store.nodes), .min = 1, .max = 10000,
     .reloadable = true,
     .help = "Number of nodes that share the limits, for store.on_failure = local."},
    {"store.username", SETTING_TEXT, "", AT(store.username), .max = 255,
     .check = settings_check_word,
     .help = "Redis user. Empty: the default user, or the one in store.url."},
    {"store.password_file", SETTING_TEXT, "", AT(store.password_file), .max = 1024,
     .check = settings_check_path,
     .help = "File whose first line is the Redis password. Empty: no password, or the one in "
             "store.url."},
    {"store.private_group", SETTING_TEXT, "", AT(store.private_group), .max = 64,
     .check = settings_check_account,
     .help = "Group that may use the socket of the private Redis, with all rights. The account in "
             "user has to be a member. Empty: none."},
    {"store.allow_eviction", SETTING_BOOL, "false", AT(store.allow_eviction), .reloadable = true,
     .help = "Whether to accept a Redis whose maxmemory-policy is not noeviction. Such a server "
             "deletes figures when its memory is full; they return within ten minutes."},
    {"store.tls.ca_file", SETTING_TEXT, "", AT(store.tls.ca_file), .max = 1024,
     .check = settings_check_path,
     .help = "Authorities (PEM) of the Redis servers' certificates. Empty: those of the system."},
    {"store.tls.cert_file", SETTING_TEXT, "", AT(store.tls.cert_file), .max = 1024,
     .check = settings_check_path,
     .help = "Client certificate (PEM, with its chain), where servers ask for one. Empty: none."},
    {"store.tls.key_file", SETTING_TEXT, "", AT(store.tls.key_file), .max = 1024,
     .check = settings_check_path,
     .help = "Key of the client certificate. Empty: the key is in store.tls.cert_file."},
    {"store.tls.server_name", SETTING_TEXT, "", AT(store.tls.server_name), .max = 255,
     .check = settings_check_word,
     .help = "Name that the certificates of the servers must have. Empty: the host or address that "
             "is connected to, as a sentinel or the cluster names it."},
    {"store.keep_hours", SETTING_TIME, "45days", AT(store.keep_hours_ms), .min = 2 * DAY,
     .max = 3660 * DAY,
     .help = "How long the figures of an hour are kept after its end. Months and totals are kept "
             "for ever. Set the three keep_ settings to the same on all nodes; what they take in "
             "Redis is in tollgate-keys(7)."},
    {"store.keep_days", SETTING_TIME, "400days", AT(store.keep_days_ms), .min = 2 * DAY,
     .max = 3660 * DAY, .help = "How long the figures of a day are kept."},
    {"store.keep_users_days", SETTING_TIME, "92days", AT(store.keep_users_days_ms), .min = 2 * DAY,
     .max = 3660 * DAY, .help = "How long the figures of users of a day are kept."},
    {"ledger.sync", SETTING_SYNC, "1s", AT(ledger.sync), AT(ledger.sync_ms), 10 * MS, MINUTE,
     .choices = settings_choices_syncs, .reloadable = true,
     .help = "When the journal is written to stable storage. always: before each answer to the "
             "MTA; a time: at that interval, which is the most that a power failure loses (a crash "
             "of tollgated loses nothing); never: when the operating system does so."},
    {"ledger.push", SETTING_TIME, "200ms", AT(ledger.push_ms), .min = 10 * MS, .max = MINUTE,
     .reloadable = true,
     .help = "Interval at which changed figures are pushed to Redis; where many change all the "
             "time, about two thousand a second are, and each within some ten seconds."},
    {"ledger.min_free", SETTING_SIZE, "64MB", AT(ledger.min_free_bytes), .min = 0, .max = 1024 * GB,
     .reloadable = true, .help = "Free space in state_dir below which nothing more is written."},
    {"ledger.on_full", SETTING_CHOICE, "defer", AT(ledger.on_full),
     .choices = settings_choices_fulls, .reloadable = true,
     .help = "What happens to a message that cannot be recorded. defer: the MTA is asked to try "
             "again later; accept: it is accepted uncounted, with an error in the log."},
    {"ledger.keep_messages", SETTING_TIME, "8days", AT(ledger.keep_messages_ms), .min = 0,
     .max = 400 * DAY, .reloadable = true,
     .help = "How long the records of single messages are kept after they were counted, for those "
             "who ask later: `tollgate messages' lists them, `tollgate reconcile' compares them "
             "with the mail log. 0: not at all."},
    {"ledger.keep_messages_max", SETTING_SIZE, "1GB", AT(ledger.keep_messages_max_bytes), .min = 0,
     .max = 1024 * GB, .reloadable = true,
     .help = "How much space these records may take; the oldest go first. They also go when less "
             "than twice ledger.min_free is free."},
    {"hosted.domains", SETTING_LIST, "file:/etc/tollgate/domains", AT(hosted.domains), .max = 100,
     .check = settings_check_source, .reloadable = true,
     .help = "Sources of the hosted domains; see tollgate-sources(5). An entry is a domain, or "
             ".domain for all its sub-domains. The domain that is charged may follow."},
    {"hosted.forwards", SETTING_LIST, "", AT(hosted.forwards), .max = 100,
     .check = settings_check_source, .reloadable = true,
     .help = "Sources of the forwarders. An entry is an address and the addresses to which it "
             "forwards."},
    {"hosted.logins", SETTING_LIST, "", AT(hosted.logins), .max = 100,
     .check = settings_check_login_source, .reloadable = true,
     .help = "Sources of the addresses of logins that are not addresses themselves."},
    {"hosted.default_domain", SETTING_TEXT, "", AT(hosted.default_domain), .max = 255,
     .check = settings_check_domain, .reloadable = true,
     .help = "Domain of logins and addresses that have none. Empty: none."},
    {"networks.host", SETTING_LIST, "127.0.0.0/8 ::1", AT(networks.host), .max = 10000,
     .check = settings_check_network, .reloadable = true,
     .help =
         "Networks of the mail servers themselves. Their mail counts as submitted on this host."},
    {"networks.customers", SETTING_LIST, "", AT(networks.customers), .max = 10000,
     .check = settings_check_network, .reloadable = true,
     .help = "Networks that may send without a login. Their mail counts as submitted by a user."},
    {"accounting.out_bytes", SETTING_CHOICE, "destination", AT(accounting.out_bytes),
     .choices = settings_choices_factors, .reloadable = true,
     .help = "How often the bytes of out and forward count: once per destination domain, once per "
             "recipient, or once per message."},
    {"accounting.spam_header", SETTING_TEXT, "X-Spam-Flag: YES", AT(accounting.spam_header),
     .max = 255, .check = settings_check_header, .reloadable = true,
     .help =
         "Header field, name and value, that marks spam. Empty: spam is not counted separately."},
    {"accounting.users", SETTING_BOOL, "true", AT(accounting.users), .reloadable = true,
     .help = "Whether users are counted as well as domains."},
    {"accounting.names_max", SETTING_NUMBER, "1000", AT(accounting.names_max), .min = 1,
     .max = 1000000, .reloadable = true,
     .help =
         "Most names under a wildcard entry without an owner that have an account of their own, "
         "per entry and month. The others are charged to the entry's name without its dot."},
    {"accounting.users_max", SETTING_NUMBER, "10000", AT(accounting.users_max), .min = 1,
     .max = 10000000, .reloadable = true,
     .help = "Maximum number of users counted by name per domain and period. The others are "
             "counted under _other."},
    {"accounting.delimiter", SETTING_TEXT, "+", AT(accounting.delimiter), .max = 32,
     .reloadable = true,
     .help = "Characters that begin the extension of a user (alice+tag). A postfix: source with "
             "recipient_delimiter takes precedence."},
    {"relay.listen", SETTING_LIST, "127.0.0.1:2525", AT(relay.listen), .max = 100,
     .check = settings_check_host_port,
     .help = "Addresses on which tollgate-relay accepts mail: host:port, IPv6 as [::1]:2525."},
    {"relay.listen_tls", SETTING_LIST, "", AT(relay.listen_tls), .max = 100,
     .check = settings_check_host_port,
     .help = "Addresses for clients that begin with TLS at once (port 465). Needs "
             "relay.tls_cert_file."},
    {"relay.tls_cert_file", SETTING_TEXT, "", AT(relay.tls_cert_file), .max = 1024,
     .check = settings_check_path,
     .help = "Certificate (PEM, with its chain) for STARTTLS and relay.listen_tls. Empty: no TLS."},
    {"relay.tls_key_file", SETTING_TEXT, "", AT(relay.tls_key_file), .max = 1024,
     .check = settings_check_path,
     .help = "Key of the certificate. Empty: the key is in relay.tls_cert_file."},
    {"relay.tls_out", SETTING_CHOICE, "may", AT(relay.tls_out),
     .choices = settings_choices_tls_outs,
     .help = "TLS with the servers to which mail is delivered. none: never; may: if the server "
             "offers it; encrypt: always; verify: always, with a valid certificate for the name of "
             "the server."},
    {"relay.tls_ca_file", SETTING_TEXT, "", AT(relay.tls_ca_file), .max = 1024,
     .check = settings_check_path,
     .help = "Certificates (PEM) that verify trusts. Empty: those of the system."},
    {"relay.users_file", SETTING_TEXT, "", AT(relay.users_file), .max = 1024,
     .check = settings_check_path,
     .help =
         "Logins (SMTP AUTH) that may send to any domain: lines login:hash, as tollgate-relay user "
         "prints them. AUTH is offered under TLS and to this host only. Empty: no logins."},
    {"relay.hostname", SETTING_TEXT, "", AT(relay.hostname), .max = 255,
     .check = settings_check_domain,
     .help = "Name of the relay in its greeting and in Received fields. Empty: the host name."},
    {"relay.milters", SETTING_LIST, "tollgated", AT(relay.milters), .max = 20,
     .check = settings_check_relay_milter,
     .help =
         "Milters that see each message, in this order. A milter is a socket as in milter.socket; "
         "tollgated stands for milter.socket itself and belongs last. Empty list: no milters."},
    {"relay.milter_default", SETTING_CHOICE, "tempfail", AT(relay.milter_default),
     .choices = settings_choices_milter_defaults,
     .help = "What happens to a message while a milter is unavailable."},
    {"relay.milter_timeout", SETTING_TIME, "30s", AT(relay.milter_timeout_ms), .min = 100 * MS,
     .max = HOUR,
     .help = "Timeout for a reply of a milter; ten times as long at the end of a message."},
    {"relay.maildir_root", SETTING_TEXT, "", AT(relay.maildir_root), .max = 300,
     .check = settings_check_path,
     .help = "Directory of mail for hosted domains: a Maildir ROOT/DOMAIN/USER for each address. "
             "Empty: relay/maildir in state_dir."},
    {"relay.queue_dir", SETTING_TEXT, "", AT(relay.queue_dir), .max = 300,
     .check = settings_check_path,
     .help = "Directory of the queue. Empty: relay/queue in state_dir."},
    {"relay.next_hop", SETTING_TEXT, "", AT(relay.next_hop), .max = 300,
     .check = settings_check_host_port,
     .help = "Server, host:port, that gets all mail for domains that are not hosted. Empty: the "
             "mail servers (MX) of these domains get it."},
    {"relay.smtp_port", SETTING_NUMBER, "25", AT(relay.smtp_port), .min = 1, .max = 65535,
     .help = "Port of the servers found by MX."},
    {"relay.resolver", SETTING_TEXT, "", AT(relay.resolver), .max = 300,
     .check = settings_check_host_port,
     .help = "DNS server, address:port, for MX and addresses. Empty: those of the system."},
    {"relay.message_max", SETTING_SIZE, "50MB", AT(relay.message_max_bytes), .min = 1024,
     .max = 4 * GB, .help = "Maximum size of a message."},
    {"relay.recipients_max", SETTING_NUMBER, "1000", AT(relay.recipients_max), .min = 100,
     .max = 100000, .help = "Maximum number of recipients of a message."},
    {"relay.sessions_max", SETTING_NUMBER, "200", AT(relay.sessions_max), .min = 1, .max = 10000,
     .help = "Maximum number of simultaneous SMTP sessions."},
    {"relay.client_sessions_max", SETTING_NUMBER, "50", AT(relay.client_sessions_max), .min = 1,
     .max = 10000, .help = "Maximum number of simultaneous SMTP sessions from one address."},
    {"relay.timeout", SETTING_TIME, "5min", AT(relay.timeout_ms), .min = 100 * MS, .max = HOUR,
     .help = "Timeout for a command of a client, and for a reply of a server."},
    {"relay.min_rate", SETTING_SIZE, "100B", AT(relay.min_rate_bytes), .min = 1, .max = MB,
     .help = "Bytes per second below which an incoming message is aborted, once relay.timeout has "
             "passed."},
    {"relay.deliveries_max", SETTING_NUMBER, "10", AT(relay.deliveries_max), .min = 1, .max = 1000,
     .help = "Maximum number of simultaneous deliveries."},
    {"relay.retry_first", SETTING_TIME, "5min", AT(relay.retry_first_ms), .min = 10 * MS,
     .max = DAY,
     .help = "Time until the first retry of a failed delivery; it doubles with each retry."},
    {"relay.retry_max", SETTING_TIME, "1h", AT(relay.retry_max_ms), .min = 10 * MS, .max = DAY,
     .help = "Maximum time between two tries."},
    {"relay.expire", SETTING_TIME, "5days", AT(relay.expire_ms), .min = 0, .max = 100 * DAY,
     .help = "Age at which an undeliverable message is returned to its sender."},
    {"throttle.mode", SETTING_CHOICE, "observe", AT(throttle.mode),
     .choices = settings_choices_modes, .reloadable = true,
     .help = "observe: no limit stops a message, and what would have been stopped is counted and "
             "logged; enforce: limits act."},
    {"throttle.assign", SETTING_LIST, "", AT(throttle.assign), .max = 100,
     .check = settings_check_listed_source, .reloadable = true,
     .help = "Sources that assign plans. An entry is a domain, or @customer: and the name of a "
             "customer, and the name of its plan."},
    {"throttle.exempt.users", SETTING_LIST, "", AT(throttle.exempt.users), .max = 10000,
     .check = settings_check_address, .reloadable = true, .help = "Users exempt from all limits."},
    {"throttle.exempt.clients", SETTING_LIST, "", AT(throttle.exempt.clients), .max = 10000,
     .check = settings_check_network, .reloadable = true,
     .help = "Networks whose mail is exempt from all limits."},
    {"throttle.exempt.domains", SETTING_LIST, "", AT(throttle.exempt.domains), .max = 10000,
     .check = settings_check_domain, .reloadable = true, .help = "Domains exempt from all limits."},
    {"throttle.exempt.recipients", SETTING_LIST, "", AT(throttle.exempt.recipients), .max = 10000,
     .check = settings_check_address, .reloadable = true,
     .help = "Recipients that do not count against any limit, such as postmaster addresses. The "
             "other recipients of the message do."},
    {"throttle.notify", SETTING_TEXT, "", AT(throttle.notify), .max = 1024,
     .check = settings_check_path, .reloadable = true,
     .help = "Program that is run once for each account, limit and window in which a limit is "
             "crossed, and by tollgate-collect for each anomaly. Empty: none."},
    {"throttle.admins", SETTING_LIST, "", AT(throttle.admins), .max = 100,
     .check = settings_check_listed_source, .reloadable = true,
     .help = "Sources of the addresses of admins. An entry is a domain, or @customer: and the name "
             "of a customer, and the address of its admin."},
    {"throttle.notify_at", SETTING_LIST, "50 80 100", AT(throttle.notify_at), .max = 10,
     .check = settings_check_percent, .reloadable = true,
     .help = "Percentages of a limit of a calendar month at which throttle.notify is run for the "
             "admin of the domain or customer (throttle.admins), each once a month."},
    {"throttle.notify_every", SETTING_TIME, "5min", AT(throttle.notify_every_ms), .min = SECOND,
     .max = DAY, .reloadable = true,
     .help = "How often it is looked who has reached one of these percentages."},
    {"throttle.on_anomaly", SETTING_CHOICE, "", AT(throttle.on_anomaly),
     .choices = settings_choices_anomaly_actions, .reloadable = true,
     .help =
         "Action of the limit that tollgate-collect gives a user or domain far above the usual, "
         "for 24 hours. Empty: no limit."},
    {"throttle.client_v6_prefix", SETTING_NUMBER, "64", AT(throttle.client_v6_prefix), .min = 1,
     .max = 128, .reloadable = true,
     .help = "Limits of clients take IPv6 addresses that share this many leading bits for one "
             "client."},
    {"throttle.leases", SETTING_BOOL, "true", AT(throttle.leases), .reloadable = true,
     .help = "Take room of accounts that are far below their limits ahead of their messages, so "
             "that most messages need no trip to Redis."},
    {"throttle.reply_text", SETTING_TEXT, "", AT(throttle.reply_text), .max = 120,
     .check = settings_check_reply, .reloadable = true,
     .help = "Text at the end of the reply to a sender whose message is over a limit, in printable "
             "ASCII. Empty: none."},
    {"throttle.reply_url", SETTING_TEXT, "", AT(throttle.reply_url), .max = 120,
     .check = settings_check_reply, .reloadable = true,
     .help = "URL of a page about limits, at the end of such a reply. Empty: none."},
    {"collect.user", SETTING_TEXT, "tollgate-collect", AT(collect.user), .max = 64,
     .check = settings_check_account,
     .help = "Account to which tollgate-collect changes if it is started as root. Empty: no "
             "change."},
    {"collect.sources", SETTING_LIST, "file:/var/log/mail.log", AT(collect.sources), .max = 100,
     .check = settings_check_log,
     .help = "Logs that tollgate-collect reads: file:PATH, or journal: and what journalctl is to "
             "match, such as \"journal:unit=postfix@-.service\". No line may be in two of them."},
    {"collect.names", SETTING_LIST, "postfix", AT(collect.names), .max = 100,
     .check = settings_check_word,
     .help = "Names under which instances of Postfix log (syslog_name)."},
    {"collect.timezone", SETTING_TEXT, "", AT(collect.timezone), .max = 255,
     .check = settings_check_zone,
     .help = "Time zone of log lines that do not name theirs. Empty: that of this machine."},
    {"collect.internal", SETTING_LIST, "", AT(collect.internal), .max = 100,
     .check = settings_check_word, .reloadable = true,
     .help = "Services, as they log, whose sessions do not count, such as the one to which a "
             "content filter returns mail: \"postfix/10025/smtpd\"."},
    {"collect.internal_relays", SETTING_LIST, "", AT(collect.internal_relays), .max = 1000,
     .check = settings_check_word, .reloadable = true,
     .help = "Servers, as Postfix logs them behind relay=, to which deliveries do not count as "
             "SMTP out, such as a mailbox server. Loopback addresses and sockets never do."},
    {"collect.ignore_clients", SETTING_LIST, "", AT(collect.ignore_clients), .max = 10000,
     .check = settings_check_network, .reloadable = true,
     .help = "Networks whose sessions do not count, such as those of health checks."},
    {"collect.units", SETTING_LIST, "", AT(collect.units), .max = 100, .check = settings_check_word,
     .help = "systemd units, or paths of programs, whose CPU time, memory, threads and open files "
             "the report server-status adds up, beside the established connections of mail "
             "services. Empty: no server status."},
    {"collect.spam_service", SETTING_CHOICE, "spamd", AT(collect.spam_service),
     .choices = settings_choices_spam_services, .reloadable = true,
     .help = "Program whose scans the report spamassassin counts."},
    {"collect.clamd", SETTING_TEXT, "", AT(collect.clamd), .max = 255,
     .check = settings_check_clamd,
     .help = "Socket of clamd, \"unix:/run/clamav/clamd.ctl\" or \"inet:127.0.0.1:3310\", at which "
             "tollgate-collect asks every 5 seconds how many threads scan. Empty: it does not ask, "
             "and the connection seconds in the report clamav are unknown."},
    {"collect.dovecot_proxy", SETTING_BOOL, "false", AT(collect.dovecot_proxy), .reloadable = true,
     .help = "Whether sessions that Dovecot hands on to another server count here, too. They count "
             "on that server if its log is read."},
    {"collect.anomaly_factor", SETTING_NUMBER, "5", AT(collect.anomaly_factor), .min = 0,
     .max = 1000, .reloadable = true,
     .help =
         "An hour of a user or domain is an anomaly above so many times the busiest hour of the "
         "last four weeks. 0: no anomalies."},
    {"collect.anomaly_connections", SETTING_NUMBER, "100", AT(collect.anomaly_connections),
     .min = 0, .max = 1000000000, .reloadable = true,
     .help = "Logins in an hour up to which there is no anomaly. 0: logins are not watched."},
    {"collect.anomaly_recipients", SETTING_NUMBER, "100", AT(collect.anomaly_recipients), .min = 0,
     .max = 1000000000, .reloadable = true,
     .help = "Recipients of sent mail in an hour up to which there is no anomaly. 0: recipients "
             "are not "
             "watched."},
    {"collect.anomaly_clients", SETTING_NUMBER, "10", AT(collect.anomaly_clients), .min = 0,
     .max = 1000000000, .reloadable = true,
     .help =
         "Client addresses that log in in an hour up to which there is no anomaly. 0: they are not "
         "watched."},
    {"collect.anomaly_learn", SETTING_TIME, "7days", AT(collect.anomaly_learn_ms), .min = 0,
     .max = 366 * DAY, .reloadable = true,
     .help =
         "How long tollgate-collect only learns what is usual, from the first line that it reads."},
    {"web.listen", SETTING_LIST, "unix:/run/tollgate-web/web.sock", AT(web.listen), .max = 8,
     .check = settings_check_socket,
     .help = "Sockets on which tollgate-web serves HTTP, usually for a proxy in front of it: "
             "unix:/path, or "
             "inet:port@host, with a loopback address unless there is web.tls_cert_file."},
    {"web.tls_cert_file", SETTING_TEXT, "", AT(web.tls_cert_file), .max = 1024,
     .check = settings_check_path, .reloadable = true,
     .help = "Certificate (PEM, with its chain), readable for the account: TCP sockets of "
             "web.listen speak TLS, 1.2 or later. Empty: no TLS."},
    {"web.tls_key_file", SETTING_TEXT, "", AT(web.tls_key_file), .max = 1024,
     .check = settings_check_path, .reloadable = true,
     .help = "Its key, without a passphrase. Empty: the key is in web.tls_cert_file."},
    {"web.mode", SETTING_MODE, "0660", AT(web.mode), .max = 0777,
     .help = "Permissions of its Unix sockets."},
    {"web.group", SETTING_TEXT, "", AT(web.group), .max = 64, .check = settings_check_account,
     .help = "Group of its Unix sockets, such as the proxy's. Empty: that of the account."},
    {"web.user", SETTING_TEXT, "tollgate-web", AT(web.user), .max = 64,
     .check = settings_check_account,
     .help = "Account to which tollgate-web changes if it is started as root. Empty: no change."},
    {"web.users_file", SETTING_TEXT, "/etc/tollgate/web.users", AT(web.users_file), .max = 1024,
     .check = settings_check_path, .reloadable = true,
     .help = "Who may sign in: lines that `tollgate web passwd' and `tollgate web token' write. "
             "Empty: nobody."},
    {"web.trusted", SETTING_LIST, "", AT(web.trusted), .max = 100, .check = settings_check_network,
     .reloadable = true,
     .help = "Networks of proxies whose X-Forwarded-For, X-Forwarded-Proto and web.user_header are "
             "believed. A proxy on a Unix socket is always trusted."},
    {"web.user_header", SETTING_TEXT, "", AT(web.user_header), .max = 64,
     .check = settings_check_word, .reloadable = true,
     .help = "Header in which a trusted proxy names the user who has signed in there, such as "
             "X-Remote-User. The proxy has to remove it from what clients send. Empty: none."},
    {"web.dovecot_auth", SETTING_TEXT, "", AT(web.dovecot_auth), .max = 300,
     .check = settings_check_optional_socket, .reloadable = true,
     .help = "Dovecot's socket for authentication clients, unix:/path: who is not in "
             "web.users_file signs in with the password of his mailbox, and sees his own figures. "
             "Empty: nobody does."},
    {"web.link_key_file", SETTING_TEXT, "", AT(web.link_key_file), .max = 1024,
     .check = settings_check_path, .reloadable = true,
     .help = "File with the key of links by which a control panel signs its users in, or shows a "
             "card; see "
             "tollgate-web(8). At least 32 bytes. Empty: no such links."},
    {"web.metrics_from", SETTING_LIST, "127.0.0.1", AT(web.metrics_from), .max = 100,
     .check = settings_check_network, .reloadable = true,
     .help = "Networks that may read /metrics without a token. Who comes through a proxy that is "
             "not trusted needs a token."},
    {"web.metrics_domains", SETTING_NUMBER, "0", AT(web.metrics_domains), .min = 0, .max = 1000,
     .reloadable = true,
     .help = "Number of domains, the month's largest, whose bytes /metrics shows by name. The "
             "names change at the beginning of a day only."},
    {"web.connections_max", SETTING_NUMBER, "1000", AT(web.connections_max), .min = 10,
     .max = 10000, .help = "Maximum number of simultaneous connections to each socket."},
    {"web.client_connections_max", SETTING_NUMBER, "200", AT(web.client_connections_max), .min = 1,
     .max = 10000,
     .help = "Maximum number of simultaneous connections from one address; a proxy that connects "
             "by TCP is one address."},
    {"web.timeout", SETTING_TIME, "30s", AT(web.timeout_ms), .min = SECOND, .max = 10 * MINUTE,
     .help = "Time in which a request has to arrive completely, and after which an idle connection "
             "is closed."},
    {"billing.grace", SETTING_TIME, "6h", AT(billing.grace_ms), .min = 0, .max = 30 * DAY,
     .reloadable = true,
     .help = "How long after the end of a month `tollgate period close' waits for mail that is "
             "counted late: every node has to have reported until then."},
    {"billing.fields", SETTING_LIST, "", AT(billing.fields), .max = 100,
     .check = settings_check_counter, .reloadable = true,
     .help = "Counters that are exported to billing systems, such as out_bytes. The traffic "
             "counters are in the file of every closed month, others if they are named here. "
             "Empty: in_bytes, out_bytes and forward_bytes."},
    {"billing.units", SETTING_CHOICE, "B", AT(billing.units), .choices = settings_choices_units,
     .reloadable = true, .help = "Unit of bytes in exports; rounded up, to a thousandth."},
    {"billing.targets", SETTING_LIST, "", AT(billing.targets), .max = 300,
     .check = settings_check_target, .reloadable = true,
     .help = "Where `tollgate period export' sends closed months: command:/path, "
             "cloudevents:https://..., plesk:https://..., hostbill:https://..."},
    {"billing.secrets_file", SETTING_TEXT, "", AT(billing.secrets_file), .max = 1024,
     .check = settings_check_path, .reloadable = true,
     .help = "File with the secrets of these targets; see tollgate(1). Empty: none."},
    {"billing.ids_file", SETTING_TEXT, "", AT(billing.ids_file), .max = 1024,
     .check = settings_check_path, .reloadable = true,
     .help = "File with the numbers that plesk and hostbill have for domains. Empty: none."},
    {"billing.reconcile", SETTING_CHOICE, "report", AT(billing.reconcile),
     .choices = settings_choices_reconciles, .reloadable = true,
     .help = "What `tollgate reconcile' does with its findings. report: it lists them; adjust: it "
             "also writes adjustments, which stand beside the figures."},
    {"billing.customers", SETTING_LIST, "", AT(billing.customers), .max = 100,
     .check = settings_check_listed_source, .reloadable = true,
     .help = "Sources that say whose a domain is. An entry is a domain, or .domain for all its "
             "sub-domains, and the name of its customer. The domains of a customer are one in "
             "totals by customer and under limits of the scope customer."},
    {"plans", SETTING_PLANS,
     "( { name = \"default\"; limits = ( { scope = \"domain\"; metric = \"recipients\"; "
     "max = \"600\"; per = \"hour\"; action = \"defer\"; } ); } )",
     AT(plans), .reloadable = true,
     .help = "Plans: lists of limits. The plan `default` applies to domains without one."},
};
const size_t settings_count = sizeof settings_table / sizeof settings_table[0];
