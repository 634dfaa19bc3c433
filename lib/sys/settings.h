#ifndef TG_SYS_SETTINGS_H
#define TG_SYS_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/hosted.h"
#include "lib/core/limit.h"
#include "lib/core/slice.h"

/*
 * The configuration (libconfig syntax) as typed values. One table (settings_table) describes every
 * key: path, type, default, range, whether a reload takes it, help; the parser, -T, the manual and
 * the sample file come from it.
 *
 * A loaded configuration is an immutable snapshot: settings_load gives a new one, settings_free
 * ends it. All strings are C strings, never NULL; what has a syntax (sockets, URL, sources,
 * networks, names) has been checked at load. To take such a text apart: lib/sys/socket_name,
 * lib/core/store_url, lib/core/source_name, lib/core/networks.
 *
 * Units: sizes in bytes, times in milliseconds.  Owner: the caller of settings_load.
 * Threads: a loaded one may be read by all.
 */

struct string_list {
    const char **items; /* C strings */
    size_t count;
};

enum on_failure { ON_FAILURE_DEFER, ON_FAILURE_ACCEPT, ON_FAILURE_LOCAL };
enum milter_default {
    MILTER_DEFAULT_TEMPFAIL,
    MILTER_DEFAULT_ACCEPT,
    MILTER_DEFAULT_REJECT,
    MILTER_DEFAULT_QUARANTINE
};
enum throttle_mode { THROTTLE_OBSERVE, THROTTLE_ENFORCE };
enum tls_out { TLS_OUT_NONE, TLS_OUT_MAY, TLS_OUT_ENCRYPT, TLS_OUT_VERIFY };
enum spam_service { SPAM_SPAMD, SPAM_AMAVIS, SPAM_RSPAMD };
enum billing_units { BILLING_BYTES, BILLING_MB, BILLING_GB, BILLING_MIB, BILLING_GIB };
enum reconcile_mode { RECONCILE_REPORT, RECONCILE_ADJUST };
enum ledger_sync { SYNC_ALWAYS, SYNC_TIMED, SYNC_NEVER };

/* Where a setting stands; file NULL: nowhere, it has its default. */
struct setting_place {
    const char *file;
    size_t line;
};

enum { SETTINGS_THREADS_MAX = 16 }; /* of milter.threads */

struct settings {
    struct arena arena;
    const char *file;             /* where it was read from */
    struct setting_place *places; /* by row of the settings table */

    const char *node, *timezone, *state_dir, *user; /* node: the host's name where none is given */
    struct {
        int target, facility, level; /* enum log_target; syslog(3) numbers */
    } log;
    struct {
        const char *socket; /* as socket_name_parse takes it */
        unsigned mode;      /* of the Unix socket */
        const char *group;  /* "": left alone */
        int64_t timeout_ms;
        const char *engine; /* "native" or "libmilter" */
        int64_t threads;    /* of the native engine; 0: by the processors */
    } milter;
    struct {
        const char *url; /* as store_url_parse takes it */
        const char *prefix, *username, *password_file;
        int64_t timeout_ms;
        enum on_failure on_failure; /* of limits while the store is away */
        int64_t nodes;
        const char *private_group; /* of the private server's socket; "": none */
        bool allow_eviction;
        struct {
            const char *ca_file, *cert_file, *key_file, *server_name;
        } tls;
        int64_t keep_hours_ms, keep_days_ms, keep_users_days_ms; /* after the end of the period */
    } store;
    struct {
        enum ledger_sync sync;
        int64_t sync_ms, push_ms; /* sync_ms where sync is SYNC_TIMED */
        int64_t min_free_bytes;
        enum on_failure on_full; /* DEFER or ACCEPT */
        int64_t keep_messages_ms, keep_messages_max_bytes;
    } ledger;
    struct {
        struct string_list domains, forwards, logins; /* as source_name_parse takes them */
        const char *default_domain;
    } hosted;
    struct {
        struct string_list host, customers;
    } networks;
    struct {
        enum out_bytes out_bytes;
        const char *spam_header; /* "Name: value", or "" */
        bool users;
        int64_t users_max, names_max;
        const char *delimiter; /* a set of bytes */
    } accounting;
    struct {
        struct string_list listen;  /* as socket_name_host_port_parse takes them */
        const char *hostname;       /* "": the system's */
        struct string_list milters; /* as socket_name_parse takes them, or "tollgated" */
        enum milter_default milter_default;
        int64_t milter_timeout_ms;
        const char *maildir_root, *queue_dir; /* "": below state_dir */
        const char *next_hop;                 /* host:port; "": by MX */
        const char *resolver;                 /* host:port; "": the system's */
        int64_t smtp_port;
        int64_t message_max_bytes, recipients_max, sessions_max, client_sessions_max;
        int64_t timeout_ms, min_rate_bytes; /* a second */
        int64_t deliveries_max, retry_first_ms, retry_max_ms, expire_ms;
        struct string_list listen_tls; /* as listen; TLS from the first byte */
        const char *tls_cert_file, *tls_key_file, *tls_ca_file, *users_file; /* "": none */
        enum tls_out tls_out;
    } relay;
    struct {
        enum throttle_mode mode;
        struct string_list assign; /* sources: domain -> plan */
        struct {
            struct string_list users, clients, domains, recipients;
        } exempt;
        const char *notify;           /* a program; "": none */
        struct string_list admins;    /* sources: domain -> address */
        struct string_list notify_at; /* percentages */
        int64_t notify_every_ms;
        int on_anomaly;           /* enum limit_action; -1: none */
        int64_t client_v6_prefix; /* bits */
        bool leases;
        const char *reply_text, *reply_url; /* "": none */
    } throttle;
    struct {
        const char *user;
        struct string_list sources; /* "file:PATH", "journal:" with matches */
        struct string_list names, internal, internal_relays;
        const char *timezone; /* "": the machine's */
        const char *clamd;    /* as socket_name_parse takes it, by IP address; "": not asked */
        struct string_list ignore_clients, units;
        enum spam_service spam_service;
        bool dovecot_proxy;
        int64_t anomaly_factor;                                           /* 0: no anomalies */
        int64_t anomaly_connections, anomaly_recipients, anomaly_clients; /* an hour; 0: none */
        int64_t anomaly_learn_ms;
    } collect;
    struct {
        struct string_list listen; /* as socket_name_parse takes them; loopback or Unix */
        unsigned mode;             /* of Unix sockets */
        const char *group;         /* of Unix sockets; "": left alone */
        const char *user;
        const char *users_file;
        struct string_list trusted; /* networks */
        const char *user_header;    /* "": none */
        const char *dovecot_auth;   /* a socket, as socket_name_parse takes it; "": none */
        const char *link_key_file;  /* "": no links */
        const char *tls_cert_file, *tls_key_file; /* "": no TLS; the key is with the certificate */
        struct string_list metrics_from;          /* networks */
        int64_t metrics_domains;                  /* 0: none */
        int64_t connections_max, client_connections_max, timeout_ms;
    } web;
    struct {
        int64_t grace_ms;          /* after the end of a period */
        struct string_list fields; /* counters */
        enum billing_units units;
        struct string_list targets;          /* "hostbill:https://...", "command:/path" */
        const char *secrets_file, *ids_file; /* "": none */
        enum reconcile_mode reconcile;
        struct string_list customers; /* sources: domain -> customer */
    } billing;
    struct plan *plans;
    size_t plan_count;
};

/* All faults are written to `faults` (may be NULL), one `file:line: what is wrong, and the fix` a
 * line. Returns NULL where there is any, with err->code EX_CONFIG (78) and the first as text, or
 * EX_NOINPUT for a file that cannot be read. */
struct settings *settings_load(const char *file, FILE *faults, struct err *err) TG_MUST_USE;
void settings_free(struct settings *s);

/* Where a setting stands, for messages; one that has its default: line 1 of the file. */
void settings_place(const struct settings *s, const char *path, const char **file, size_t *line)
    TG_NONNULL(1, 2, 3, 4);

/* The configuration gives it a value, be it the default's. */
bool settings_is_set(const struct settings *s, const char *path) TG_NONNULL(1, 2);

/* Writes the effective configuration as valid configuration: loaded again it gives the same
 * settings, but for a password within store.url, which is masked as `***`. */
void settings_print(const struct settings *s, FILE *out) TG_NONNULL(1);
/* Only those that the configuration sets to other values than the defaults. */
int settings_changed_print(const struct settings *s, FILE *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 3);
/* Without a configuration: every default. */
struct settings *settings_defaults(struct err *err) TG_MUST_USE TG_NONNULL(1);

/* The names of the settings that differ and need a restart ("node, state_dir"); empty: none. */
struct slice settings_fixed_changes(const struct settings *old, const struct settings *new_,
                                    struct arena *arena) TG_NONNULL(1);

/* Gives those settings their old values, for a reload that applies the rest. */
int settings_keep_fixed(struct settings *fresh, const struct settings *old,
                        struct err *err) TG_MUST_USE TG_NONNULL(1);

/* Where the installed configuration is (sysconfdir/tollgate/tollgate.conf). */
extern const char settings_default_file[];

#endif
