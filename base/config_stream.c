/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/config_internal.h"

struct run {
    const struct config_stream *stream;
    struct config_errors *errors;
    struct config_reader *reader;
    struct arena tree, values; /* of one element */
    void *element;
    size_t index;
};

/* One element that the reader has returned. @p before: errors before it was read. @return false when the load must end.
 */
static bool take_element(struct run *run, const struct config_node *node, size_t before)
{
    const struct config_stream *stream = run->stream;
    memset(run->element, 0, stream->element_size);
    if (stream->position_offset != CONFIG_NO_POSITION) {
        *(struct config_position *)(void *)((char *)run->element + stream->position_offset) = node->at;
    }
    struct config_path list = {.name = stream->key};
    struct config_path path = {.parent = &list, .index = run->index++};
    struct config_fill fill = {.errors = run->errors, .arena = &run->values};
    config_fill_section(&fill, stream->rows, node, &path, run->element);
    if (config_errors_count(run->errors) != before) {
        return true;
    }
    enum err err = stream->each(stream->context, run->element, run->errors);
    if (err != ERR_OK && err != ERR_INVALID) {
        config_errors_fail(run->errors, err);
        return false;
    }
    if (err == ERR_INVALID && config_errors_count(run->errors) == before) {
        config_complain(run->errors, &node->at, &path, "%s", err_text(err));
    }
    return true;
}

static void run_all(struct run *run)
{
    bool more = config_reader_open_list(run->reader, run->stream->key);
    while (more) {
        size_t before = config_errors_count(run->errors);
        const struct config_node *node = config_reader_next(run->reader, &run->tree);
        more = node != NULL && take_element(run, node, before);
        arena_reset(&run->tree);
        arena_reset(&run->values);
    }
}

enum err config_stream_fd(const struct config_stream *stream, const char *name, int fd, struct strbuf *report)
{
    CLEANUP(config_errors_free_p) struct config_errors *errors = config_errors_new(name);
    if (errors == NULL) {
        return ERR_NOMEM;
    }
    CLEANUP(config_reader_free_p) struct config_reader *reader = config_reader_new_fd(fd, stream->cap, errors);
    struct arena scratch;
    arena_init(&scratch, stream->element_size + sizeof(max_align_t));
    struct run run = {.stream = stream, .errors = errors, .reader = reader};
    arena_init(&run.tree, CONFIG_TREE_MAX);
    arena_init(&run.values, CONFIG_TREE_MAX);
    run.element = arena_alloc(&scratch, stream->element_size);
    if (run.element == NULL) {
        config_errors_fail(errors, ERR_NOMEM);
    } else if (reader != NULL) {
        run_all(&run);
    }
    arena_deinit(&run.values);
    arena_deinit(&run.tree);
    arena_deinit(&scratch);
    return config_errors_report(errors, report);
}

enum err config_stream(const struct config_stream *stream, const char *path, struct strbuf *report)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat stat;
    if (fd < 0) {
        enum err err = err_from_errno(errno);
        (void)strbuf_addf(report, "%s: %s", path, err_text(err)); /* a cut report still helps */
        if (err == ERR_NOTFOUND) {
            (void)strbuf_addf(report, "; write it, with `%s: []` for none, or correct the path", stream->key);
        }
        (void)strbuf_addc(report, '\n');
        return err;
    }
    enum err err;
    bool known = fstat(fd, &stat) == 0;
    if (known && S_ISDIR(stat.st_mode)) {
        (void)strbuf_addf(report, "%s: is a folder; name the file in it\n", path);
        err = ERR_INVALID;
    } else if (known && S_ISREG(stat.st_mode) && (uint64_t)stat.st_size > stream->cap) {
        (void)strbuf_addf(report, "%s: the file is larger than %zu bytes\n", path, stream->cap);
        err = ERR_LIMIT;
    } else {
        err = config_stream_fd(stream, path, fd, report);
    }
    (void)close(fd); /* was only read */
    return err;
}
