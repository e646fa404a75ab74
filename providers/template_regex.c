/* SPDX-License-Identifier: Apache-2.0 */
/* template_regex: what may stand in a regular expression of a template. */
#include <stdio.h>
#include <string.h>

#include "providers/template_internal.h"

/** The C library copies a part as often as its braces say, braces within braces multiply, and a back-reference takes
 * time that grows with the reply's power: none of that comes in. */
static const char *regex_fault(struct view text)
{
    bool braces = false, class = false;
    size_t groups = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i], after = i + 1 < text.len ? text.ptr[i + 1] : '\0';
        if (class) {
            class = c != ']';
        } else if (c == '\\') {
            if (after >= '1' && after <= '9') {
                return "back-references are not allowed: write the part again";
            }
            i++;
        } else if (c == '[') {
            class = true;
            i += after == '^' ? 1 : 0;
            i += i + 1 < text.len && text.ptr[i + 1] == ']' ? 1 : 0;
        } else if (c == '(') {
            groups++;
        } else if (c == '{') {
            uint64_t number = 0;
            size_t len = strcspn(text.ptr + i, "}"); /* the view is NUL-terminated */
            struct view inner = view_n(text.ptr + i + 1, len > 0 ? len - 1 : 0), field;
            while (view_next(&inner, ',', &field)) {
                if (field.len > 0 && (view_to_u64(field, TEMPLATE_REPEAT_MAX, &number) != ERR_OK || braces)) {
                    return "{n,m} may stand once, with numbers up to 64";
                }
            }
            braces = true;
        }
    }
    return groups > TEMPLATE_GROUPS_MAX - 1 ? "has too many groups: 8 are allowed" : NULL;
}

enum err template_regex_compile(struct view text, regex_t *ret_regex, struct errinfo *info)
{
    char plain[TEMPLATE_REGEX_MAX + 1], anchored[TEMPLATE_REGEX_MAX + 8], cause[128];
    if (view_copy(text, plain, sizeof(plain)) != ERR_OK) {
        return errinfo_set(info, ERR_LIMIT, "config", 0, "is too long");
    }
    const char *fault = regex_fault(view_of(plain));
    if (fault != NULL) {
        return errinfo_set(info, ERR_INVALID, "config", 0, "%s", fault);
    }
    (void)snprintf(anchored, sizeof(anchored), "^(%s)$", plain); /* fits */
    int code = regcomp(ret_regex, anchored, REG_EXTENDED);
    if (code != 0) {
        (void)regerror(code, ret_regex, cause, sizeof(cause)); /* cut at worst */
        return errinfo_set(info, code == REG_ESPACE ? ERR_NOMEM : ERR_INVALID, "config", code,
                           "is not a POSIX extended regular expression: %s", cause);
    }
    return ERR_OK;
}
