#ifndef TG_CORE_CONTRACT_H
#define TG_CORE_CONTRACT_H

/*
 * What a prototype promises, in words that the compiler checks.
 */

/* The result has to be looked at: the function can fail. Where a failure does not matter, the
 * caller writes TG_IGNORE(call) and why. */
#define TG_MUST_USE       __attribute__((warn_unused_result))
#define TG_IGNORE(result) ((void)!(result))

/* These arguments, counted from 1, are never NULL. */
#define TG_NONNULL(...) __attribute__((nonnull(__VA_ARGS__)))

/* Like printf: the format is argument `format`, its values begin with argument `first`. */
#define TG_PRINTF(format_at, first) __attribute__((format(printf, format_at, first)))

#define TG_NORETURN                 __attribute__((noreturn))

/* The result is the caller's and has to go to that function, and to no other. clang has no such
 * attribute. */
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 11
#define TG_FREED_BY(function) __attribute__((malloc(function, 1), warn_unused_result))
#else
#define TG_FREED_BY(function) __attribute__((warn_unused_result))
#endif

/* Locks, for clang's -Wthread-safety (lib/sys/mutex.h has the lock). */
#if defined(__clang__)
#define TG_THREAD_SAFETY(attribute) __attribute__((attribute))
#else
#define TG_THREAD_SAFETY(attribute)
#endif
/* To be called with the lock, or without it. */
#define TG_REQUIRES(lock) TG_THREAD_SAFETY(requires_capability(lock))
#define TG_EXCLUDES(lock) TG_THREAD_SAFETY(locks_excluded(lock))
/* For the ends of an object's life, when no other thread has it; the reason stands beside it. */
#define TG_NO_THREAD_SAFETY TG_THREAD_SAFETY(no_thread_safety_analysis)

#endif
