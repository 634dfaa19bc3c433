#include "web/static_files.h"

#include <inttypes.h>
#include <stdio.h>

#include "lib/core/hash.h"
#include "lib/core/render_html.h"
#include "web/scope.h"

static const struct static_file {
    const char *name, *type, *text;
} files[] = {{"tollgate.css", "text/css; charset=utf-8", render_html_sheet},
             {"tollgate.js", "text/javascript; charset=utf-8", render_html_script},
             {"icon.svg", "image/svg+xml", render_html_icon}};

struct slice static_files_url(const char *name, char room[STATIC_FILES_URL])
{
    const struct static_file *f = files;

    while (!slice_equal(slice_str(f->name), slice_str(name)))
        f++;
    (void)snprintf(room, STATIC_FILES_URL, "/static/%016" PRIx64 "/%s",
                   hash_add(HASH_BEGIN, slice_str(f->text)), f->name);
    return slice_str(room);
}

int static_files_answer(struct exchange *x, struct err *err)
{
    char url[STATIC_FILES_URL];

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (!slice_equal(x->request.path, static_files_url(files[i].name, url)))
            continue;
        http_response_reset(&x->response, 200, files[i].type);
        x->response.is_static = true;
        buf_add_str(&x->response.body, files[i].text);
        return 0;
    }
    return scope_nothing(err);
}
