/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * xml: expat with our caps for replies of services: UTF-8 or what expat decodes, no document type and so no entities of
 * its own, size, depth and text of one element bounded. The only file that hands text to expat; any thread.
 */
#include "base/err.h"
#include "base/view.h"

#define XML_TEXT_MAX 65536 /* text of one element: error pages and lists of messages */

struct xml_element {
    struct view name;   /* with its prefix, as it is written */
    struct view parent; /* name of the element around it; empty for the root */
    struct view text;   /* character data directly inside, blanks at both ends cut off */
    unsigned depth;     /* 1 = the root */
};

/** Called in the order of the text; views live for the call. An error that one returns ends the parse and is returned.
 */
struct xml_handler {
    /** Start tag: text is empty. NULL allowed. */
    enum err (*open)(void *context, const struct xml_element *element);
    /** End tag. */
    enum err (*close)(void *context, const struct xml_element *element);
    void *context;
};

/** Parses one document. Calls come before the rest is judged: act on them only after ERR_OK. @param max_len bytes,
 * @param max_depth nesting (1 = the root alone). @return ERR_LIMIT, ERR_PARSE (info: line and reason), ERR_UNSUPPORTED
 * (a document type), ERR_NOMEM. */
enum err xml_parse(struct view text, size_t max_len, unsigned max_depth, const struct xml_handler *handler,
                   struct errinfo *info) MUST_CHECK;

struct strbuf;
/** Appends @p text with the five characters escaped that mean something in XML. */
enum err strbuf_add_xml(struct strbuf *buf, struct view text);
