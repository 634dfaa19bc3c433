/* web.users_file: reading, checking, replacing. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/core/buf.h"
#include "lib/sys/files.h"
#include "lib/sys/web_users.h"
#include "t/tap.h"

#define FILE_TEXT                                                                                  \
    "# who\n\nadmin:$y$1:admin:\nanna:$y$2:domain:example.com,example.org\n"                       \
    "alice@example.com:$y$3:user:\nbad:$y$4:root:\n"

static void reading(void)
{
    struct web_user user;

    OK(web_users_find(SLICE(FILE_TEXT), SLICE("anna"), &user) && user.role == WEB_ROLE_DOMAIN,
       "a name is found");
    IS_SLICE(user.domains, SLICE("example.com,example.org"), "with its domains");
    IS_SLICE(user.hash, SLICE("$y$2"), "and its hash");
    OK(!web_users_find(SLICE(FILE_TEXT), SLICE("ann"), &user), "not a part of a name");
    OK(!web_users_find(SLICE(FILE_TEXT), SLICE("bad"), &user), "a line with a fault is nobody's");
    OK(!web_users_find(SLICE(FILE_TEXT), SLICE("# who"), &user), "a comment is no name");
}

static void tokens(void)
{
    char token[WEB_USERS_TOKEN_ROOM], hash[WEB_USERS_TOKEN_ROOM], line[256];
    struct web_user user;

    web_users_token_new(false, token, hash);
    (void)snprintf(line, sizeof line, "x:$y$1:admin:\ngrafana:%s:admin:\n", hash);
    OK(web_users_find_token(slice_str(line), slice_str(token), &user), "a token is found");
    IS_SLICE(user.name, SLICE("grafana"), "and is the one of its name");
    OK(!user.may_write, "it only reads");
    token[10] = token[10] == '0' ? '1' : '0';
    OK(!web_users_find_token(slice_str(line), slice_str(token), &user), "another one is not");
    OK(!web_users_find_token(slice_str(line), slice_str(hash), &user), "nor its hash");
    web_users_token_new(true, token, hash);
    (void)snprintf(line, sizeof line, "panel:%s:admin:\n", hash);
    OK(web_users_find_token(slice_str(line), slice_str(token), &user) && user.may_write,
       "a token that may write");
    OK(web_users_check(slice_str(line), "f", NULL) == 0, "stands in a good file");
}

static void checking(void)
{
    static const char *const bad[] = {"anna\n",
                                      "anna:$y$1\n",
                                      "anna:$y$1:admin\n",
                                      "anna:$y$1:root:\n",
                                      "anna:$y$1:domain:\n",
                                      "anna:$y$1:domain:Example.com\n",
                                      "anna:$y$1:domain:example.com,\n",
                                      "anna:$y$1:domain:example.com:x\n",
                                      "anna:$y$1:user:\n",
                                      "an na:$y$1:admin:\n",
                                      "an{na:$y$1:admin:\n"};
    struct err err = {0};

    OK(web_users_check(SLICE("# x\n\nadmin:$y$1:admin:\n"), "f", &err) == 0, "a good file");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        OK(web_users_check(slice_str(bad[i]), "f", &err) != 0, bad[i]);
    OK(web_users_check(SLICE("\nadmin:$y$1:boss:\n"), "f", &err) != 0, "a fault");
    IS_STR(err.text, "f:2: unknown role: use admin, domain or user", "names its line");
}

static void put(const char *path, const char *name, const char *hash, const char *want)
{
    struct web_user user = {
        .name = slice_str(name), .hash = slice_str(hash), .role = WEB_ROLE_ADMIN};
    struct err err = {0};
    struct buf b;

    buf_init(&b, 4096);
    OK(web_users_put(path, &user, "", &err) == 0 && file_read(path, &b, &err) == 0, name);
    IS_SLICE(buf_slice(&b), slice_str(want), "the file");
    buf_fini(&b);
}

static void writing(void)
{
    char dir[] = "/tmp/tg-web-users-XXXXXX", path[64], lock[80];
    struct stat st;

    if (!OK(mkdtemp(dir) != NULL, "a folder"))
        return;
    (void)snprintf(path, sizeof path, "%s/users", dir);
    (void)snprintf(lock, sizeof lock, "%s.lock", path);
    put(path, "a", "1", "a:1:admin:\n");
    OK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0640, "nobody else may read a new file");
    put(path, "b", "2", "a:1:admin:\nb:2:admin:\n");
    OK(chmod(path, 0600) == 0, "another mode");
    put(path, "a", "3", "a:3:admin:\nb:2:admin:\n");
    OK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600, "stays as it is");
    (void)unlink(path);
    (void)unlink(lock);
    (void)rmdir(dir);
}

int main(void)
{
    reading();
    tokens();
    checking();
    writing();
    return tap_done();
}
