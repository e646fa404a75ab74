/* SPDX-License-Identifier: Apache-2.0 */
#include "base/xml.h"

#include <stdlib.h>
#include <string.h>

#include <expat.h>

#include "base/strbuf.h"

enum { DEPTH_MAX = 32, NAMES_MAX = 4096 };

struct level {
    size_t name, name_len; /* in `names` */
    size_t text;           /* where its character data begins in `text` */
};

struct parse {
    XML_Parser parser;
    const struct xml_handler *handler;
    enum err err;
    unsigned depth, max_depth;
    struct level levels[DEPTH_MAX];
    struct strbuf names; /* of the open elements, one behind the other */
    struct strbuf text;  /* of the open elements likewise: a child's is taken off when it ends */
};

static void fail(struct parse *parse, enum err err)
{
    if (parse->err == ERR_OK) {
        parse->err = err;
        (void)XML_StopParser(parse->parser, XML_FALSE); /* fails only when it has stopped already */
    }
}

static struct view name_of(const struct parse *parse, unsigned depth)
{
    if (depth == 0) {
        return (struct view){0};
    }
    const struct level *level = &parse->levels[depth - 1];
    return view_n(parse->names.ptr + level->name, level->name_len);
}

static void tell(struct parse *parse, enum err (*call)(void *, const struct xml_element *), struct view text)
{
    const struct xml_element element = {.name = name_of(parse, parse->depth),
                                        .parent = name_of(parse, parse->depth - 1),
                                        .text = view_trim(text),
                                        .depth = parse->depth};
    enum err err = call != NULL ? call(parse->handler->context, &element) : ERR_OK;
    if (err != ERR_OK) {
        fail(parse, err);
    }
}

static void XMLCALL on_open(void *context, const XML_Char *name, const XML_Char **attributes)
{
    (void)attributes; /* nothing that we read is in one */
    struct parse *parse = context;
    if (parse->depth == parse->max_depth) {
        fail(parse, ERR_LIMIT);
        return;
    }
    struct level *level = &parse->levels[parse->depth++];
    *level = (struct level){.name = parse->names.len, .name_len = strlen(name), .text = parse->text.len};
    enum err err = strbuf_adds(&parse->names, name);
    if (err != ERR_OK) {
        fail(parse, err);
        return;
    }
    tell(parse, parse->handler->open, (struct view){0});
}

static void XMLCALL on_close(void *context, const XML_Char *name)
{
    (void)name; /* expat has matched the tags */
    struct parse *parse = context;
    if (parse->err != ERR_OK) {
        return; /* expat tells of an empty element's end after it was stopped */
    }
    const struct level *level = &parse->levels[parse->depth - 1];
    size_t len = parse->text.len - level->text;
    tell(parse, parse->handler->close, view_n(len > 0 ? parse->text.ptr + level->text : NULL, len));
    parse->text.len = level->text;
    parse->names.len = level->name;
    parse->depth--;
}

static void XMLCALL on_text(void *context, const XML_Char *text, int len)
{
    struct parse *parse = context;
    enum err err = parse->err == ERR_OK ? strbuf_add(&parse->text, view_n(text, (size_t)len)) : ERR_OK;
    if (err != ERR_OK) {
        fail(parse, err);
    }
}

/** Entities are declared here, and with them texts that grow without end. */
static void XMLCALL on_doctype(void *context, const XML_Char *name, const XML_Char *system_id,
                               const XML_Char *public_id, int internal)
{
    (void)name;
    (void)system_id;
    (void)public_id;
    (void)internal;
    fail(context, ERR_UNSUPPORTED);
}

static enum err judge(const struct parse *parse, enum XML_Status status, struct errinfo *info)
{
    enum XML_Error code = XML_GetErrorCode(parse->parser);
    unsigned long line = XML_GetCurrentLineNumber(parse->parser);
    if (parse->err != ERR_OK) {
        return errinfo_set(info, parse->err, "xml", 0, "line %lu: %s", line, err_text(parse->err));
    }
    if (status == XML_STATUS_OK) {
        return ERR_OK;
    }
    return errinfo_set(info, code == XML_ERROR_NO_MEMORY ? ERR_NOMEM : ERR_PARSE, "xml", (long)code, "line %lu: %s",
                       line, XML_ErrorString(code));
}

enum err xml_parse(struct view text, size_t max_len, unsigned max_depth, const struct xml_handler *handler,
                   struct errinfo *info)
{
    if (text.len > max_len || text.len > INT32_MAX) {
        return errinfo_set(info, ERR_LIMIT, "xml", 0, "%zu bytes, at most %zu allowed", text.len, max_len);
    }
    struct parse *parse = calloc(1, sizeof(*parse));
    XML_Parser parser = XML_ParserCreate(NULL);
    enum err err = ERR_NOMEM;
    if (parse != NULL && parser != NULL) {
        parse->parser = parser;
        parse->handler = handler;
        parse->max_depth = MIN(max_depth, (unsigned)DEPTH_MAX);
        strbuf_init(&parse->names, NAMES_MAX);
        strbuf_init(&parse->text, XML_TEXT_MAX);
        XML_SetUserData(parser, parse);
        XML_SetElementHandler(parser, on_open, on_close);
        XML_SetCharacterDataHandler(parser, on_text);
        XML_SetStartDoctypeDeclHandler(parser, on_doctype);
        err = judge(parse, XML_Parse(parser, text.len > 0 ? text.ptr : "", (int)text.len, XML_TRUE), info);
        strbuf_deinit(&parse->names);
        strbuf_deinit(&parse->text);
    }
    if (parser != NULL) {
        XML_ParserFree(parser);
    }
    free(parse);
    return err;
}

enum err strbuf_add_xml(struct strbuf *buf, struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.ptr[i]) {
        case '&':
            strbuf_adds(buf, "&amp;");
            break;
        case '<':
            strbuf_adds(buf, "&lt;");
            break;
        case '>':
            strbuf_adds(buf, "&gt;");
            break;
        case '"':
            strbuf_adds(buf, "&quot;");
            break;
        case '\'':
            strbuf_adds(buf, "&apos;");
            break;
        default:
            strbuf_addc(buf, text.ptr[i]);
            break;
        }
    }
    return buf->error;
}
