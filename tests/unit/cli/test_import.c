/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/import_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "providers/catalogue.h"

struct made {
    struct import_file file;
    struct import_plan plan;
};

static void make(const struct import_client *client, const char *text, bool each, struct made *ret_made)
{
    const struct import_options options = {
        .folder = "/d", .device = "imported-1", .each = each, .broker = "b.test:8883", .certs = "/c"};
    struct errinfo info = {0};
    import_file_init(&ret_made->file);
    enum err err = client->parse(view_of(text), &ret_made->file, &info);
    if (err != ERR_OK) {
        print_error("%s\n", info.text);
    }
    assert_int_equal(err, ERR_OK);
    assert_int_equal(import_plan_make(client, &ret_made->file, &options, &ret_made->plan), ERR_OK);
}

static void drop(struct made *made)
{
    import_plan_deinit(&made->plan);
    import_file_deinit(&made->file);
}

/* What import writes into an account is what its provider asks for. */
static void check_fields(const struct import_service *row, const struct provider_ops *ops)
{
    static const unsigned fields[] = {
        [IMPORT_LOGIN] = PROVIDER_USERNAME | PROVIDER_PASSWORD,
        [IMPORT_PASSWORD] = PROVIDER_PASSWORD,
        [IMPORT_USERNAME] = PROVIDER_PASSWORD,
        [IMPORT_HOSTS] = PROVIDER_SECRETS,
        [IMPORT_PAIR] = PROVIDER_PASSWORD,
        [IMPORT_API_KEYS] = PROVIDER_USERNAME | PROVIDER_PASSWORD,
        [IMPORT_KEY_FILE] = PROVIDER_SERVER | PROVIDER_KEY,
    };
    if (row->secret < ARRAY_LEN(fields)) {
        unsigned written = fields[row->secret];
        if ((ops->needs & ~written) != 0 || (written & ~(ops->needs | ops->takes)) != 0) {
            fail_msg("%s: fields %x are written, %s needs %x and takes %x", row->id, written, row->provider, ops->needs,
                     ops->takes);
        }
    }
}

/* Every service that the tables name is one that an account may name. */
static void check_table(struct catalogue *catalogue, const struct import_service *table)
{
    for (const struct import_service *row = table; row->id != NULL; row++) {
        const struct template *template = NULL;
        assert_true((row->secret == IMPORT_NONE) == (row->provider == NULL));
        assert_true((row->secret != IMPORT_NONE && row->secret != IMPORT_BY_HAND) || row->why != NULL);
        if (row->provider != NULL) {
            const struct provider_ops *ops = catalogue_find(catalogue, row->provider, &template);
            if (ops == NULL) {
                fail_msg("%s: no provider %s", row->id, row->provider);
                return;
            }
            check_fields(row, ops);
        }
        for (const struct import_service *other = table; other != row; other++) {
            assert_string_not_equal(other->id, row->id);
        }
    }
}

static void test_services_are_known(void **state)
{
    (void)state; /* none */
    struct catalogue *catalogue = NULL;
    struct strbuf report;
    strbuf_init(&report, 65536);
    assert_int_equal(catalogue_new(NULL, &catalogue, &report), ERR_OK);
    check_table(catalogue, import_inadyn_services);
    check_table(catalogue, import_ddclient_services);
    check_table(catalogue, import_servers);
    catalogue_unref(catalogue);
    strbuf_deinit(&report);
}

static void test_inadyn_names_services_in_many_ways(void **state)
{
    (void)state; /* none */
    static const struct {
        const char *id, *provider;
    } rows[] = {
        {"default@no-ip.com", "noip"},
        {"no-ip.com:2", "noip"},
        {"noip", "noip"},
        {"dyndns.org", "dyn"},
        {"default@dyn.com:1", "dyn"},
        {"freedns", "freedns"},
        {"dyndns@he.net", "he"},
        {"he.net", "he"},
        {"dynv6.com", "dynv6"},
        {"ipv6@he.net", "tunnelbroker"},
        {"dyndns@3322.org", "3322"},
        {"spdyn", "spdyn"},
        {"Loopia.com", "loopia"},
        {"ip", NULL},
        {"", NULL},
        {":1", NULL},
        {"unheard.of", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct import_service *found = import_find_inadyn(view_of(rows[i].id));
        if (rows[i].provider == NULL) {
            assert_null(found);
        } else {
            assert_non_null(found);
            assert_string_equal(found->provider, rows[i].provider);
        }
    }
}

static void test_ddclient_lines(void **state)
{
    (void)state; /* none */
    struct made made;
    make(&import_ddclient,
         "login=all, protocol=noip # comment\n"
         "password='p #1' ttl=2m \\\n"
         "  one.a.test,two.a.test # hosts\n"
         "\n"
         "login=later\n"
         "password='x y' three.b.test\n",
         false, &made);
    assert_int_equal(made.file.sections_len, 2);
    assert_int_equal(made.file.sections[0].line, 2);
    assert_int_equal(made.file.sections[0].hosts[1].line, 3);
    assert_string_equal(import_find(&made.file.sections[0], "login")->value, "all");
    assert_string_equal(import_find(&made.file.sections[0], "password")->value, "p #1");
    assert_string_equal(import_find(&made.file.sections[1], "login")->value, "later");
    assert_int_equal(import_find(&made.file.sections[1], "login")->line, 5);
    assert_string_equal(import_find(&made.file.sections[1], "password")->value, "x y");
    assert_int_equal(made.plan.accounts_len, 2);
    assert_int_equal(made.plan.zones_len, 2);
    assert_int_equal(made.plan.names_len, 3);
    assert_int_equal(made.plan.names[0].ttl, 120);
    assert_int_equal(made.plan.names[2].ttl, 0);
    assert_string_equal(made.plan.accounts[1].name, "noip-2");
    drop(&made);
}

/* A password is read as ddclient does: no comma, no backslash, no # ends it, and behind the hosts stand login and
 * password by themselves, which must not be taken for hosts: those are shown. */
static void test_ddclient_credentials(void **state)
{
    (void)state; /* none */
    static const struct {
        const char *line, *login, *password;
    } rows[] = {
        {"login=l password=p,q#r h.a.test # comment", "l", "p,q#r"},
        {"login=l, password=p\\n\"x h.a.test", "l", "p\\n\"x"},
        {"login=l, password='p's \\ #' h.a.test", "l", "p's \\ #"},
        {"login=l, password='p, h.a.test", "l", "'p"},
        {"h.a.test l p,q=\\#", "l", "p,q=\\#"},
        {"login=other, password=other h.a.test l p", "l", "p"},
        {"login=l, password=p, host=h.a.test", "l", "p"},
        {"host=h.a.test login=l password=p", "l", "p"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct made made;
        char text[128];
        (void)snprintf(text, sizeof(text), "protocol=noip\n%s\n", rows[i].line); /* fits */
        make(&import_ddclient, text, false, &made);
        assert_int_equal(made.plan.names_len, 1);
        assert_string_equal(made.plan.names[0].name, "h.a.test");
        assert_string_equal(made.plan.accounts[0].username, rows[i].login);
        assert_string_equal(made.plan.accounts[0].password, rows[i].password);
        assert_int_equal(made.plan.notes_len, 0);
        drop(&made);
    }
}

/* What an account of a provider is asked for is what the import gives it. */
static size_t check_needs(struct catalogue *catalogue, const struct import_service *table)
{
    size_t wrong = 0;
    static const unsigned given[] = {
        [IMPORT_LOGIN] = PROVIDER_USERNAME | PROVIDER_PASSWORD,
        [IMPORT_PASSWORD] = PROVIDER_PASSWORD,
        [IMPORT_USERNAME] = PROVIDER_PASSWORD,
        [IMPORT_HOSTS] = PROVIDER_SECRETS,
        [IMPORT_API_KEYS] = PROVIDER_USERNAME | PROVIDER_PASSWORD,
        [IMPORT_KEY_FILE] = PROVIDER_KEY | PROVIDER_SERVER,
    };
    for (const struct import_service *row = table; row->id != NULL; row++) {
        const struct template *template = NULL;
        if (row->secret == IMPORT_NONE || row->secret == IMPORT_BY_HAND) {
            continue;
        }
        const struct provider_ops *ops = catalogue_find(catalogue, row->provider, &template);
        unsigned has = given[row->secret];
        bool good = (ops->needs & ~has) == 0 && (has & ~(ops->needs | ops->takes)) == 0;
        for (const struct provider_option *option = ops->options; option != NULL && option->name != NULL; option++) {
            good = good && !option->required;
        }
        if (!good) {
            print_error("%s: %s needs %#x, takes %#x and is given %#x\n", row->id, row->provider, ops->needs,
                        ops->takes, has);
            wrong++;
        }
    }
    return wrong;
}

static void test_accounts_have_what_they_need(void **state)
{
    (void)state; /* none */
    struct catalogue *catalogue = NULL;
    struct strbuf report;
    size_t wrong = 0;
    strbuf_init(&report, 65536);
    assert_int_equal(catalogue_new(NULL, &catalogue, &report), ERR_OK);
    wrong += check_needs(catalogue, import_inadyn_services);
    wrong += check_needs(catalogue, import_ddclient_services);
    wrong += check_needs(catalogue, import_servers);
    assert_int_equal(wrong, 0);
    catalogue_unref(catalogue);
    strbuf_deinit(&report);
}

/* What a server's path says besides is named, its value is not. */
static void test_a_path_of_ones_own(void **state)
{
    (void)state; /* none */
    struct made made;
    make(&import_inadyn,
         "custom x { ddns-server = \"dyn.a.test\" ddns-path = \"/up?zone=s3cr&hostname=%h&myip=%i\" username = u "
         "password = p hostname = h.a.test }",
         false, &made);
    assert_string_equal(made.plan.accounts[0].url, "https://dyn.a.test/up");
    assert_int_equal(made.plan.notes_len, 1);
    assert_non_null(strstr(made.plan.notes[0].text, "zone of the path is not sent"));
    assert_null(strstr(made.plan.notes[0].text, "s3cr"));
    drop(&made);
    make(&import_ddclient, "protocol=dyndns2 server=http://dyn.a.test:81 login=u password=p h.a.test", false, &made);
    assert_string_equal(made.plan.accounts[0].url, "https://dyn.a.test:81/nic/update");
    drop(&made);
}

static void test_ddclient_families(void **state)
{
    (void)state; /* none */
    static const struct {
        const char *settings;
        bool v4, v6;
    } rows[] = {
        {"", true, false},
        {"use=web", true, false},
        {"usev4=webv4 usev6=webv6", true, true},
        {"usev6=ifv6", false, true},
        {"use=web usev6=ifv6", true, true},
        {"use=web usev4=disabled usev6=ifv6", false, true},
        {"use=web ipv6=yes", true, true},
        {"usev4=disabled usev6=no", true, false}, /* a name needs one */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[256];
        struct made made;
        (void)snprintf(text, sizeof(text), "protocol=noip login=l password=p %s h.a.test\nusev6=webv6\n",
                       rows[i].settings);
        make(&import_ddclient, text, false, &made);
        assert_int_equal(made.plan.names_len, 1);
        assert_int_equal(made.plan.names[0].v4, rows[i].v4);
        assert_int_equal(made.plan.names[0].v6, rows[i].v6);
        drop(&made);
    }
}

/* inadyn has a section for each family of a name. */
static void test_sections_of_one_name_are_joined(void **state)
{
    (void)state; /* none */
    struct made made;
    make(&import_inadyn,
         "provider ipv4@dynv6.com { username = t hostname = h.dynv6.net }\n"
         "provider ipv6@dynv6.com { username = t hostname = h.dynv6.net }\n",
         false, &made);
    assert_int_equal(made.plan.accounts_len, 1);
    assert_int_equal(made.plan.names_len, 1);
    assert_true(made.plan.names[0].v4 && made.plan.names[0].v6);
    assert_false(import_plan_lost(&made.plan));
    drop(&made);
}

static void test_a_device_has_so_many_names(void **state)
{
    (void)state; /* none */
    char text[512];
    int len = snprintf(text, sizeof(text), "protocol=noip login=l password=p\n");
    for (int i = 0; i < IMPORT_NAMES_MAX + 1; i++) {
        len += snprintf(text + len, sizeof(text) - (size_t)len, "h%d.a.test\n", i);
    }
    for (int each = 0; each < 2; each++) {
        struct made made;
        make(&import_ddclient, text, each == 1, &made);
        assert_int_equal(made.plan.names_len, IMPORT_NAMES_MAX + each);
        assert_int_equal(import_plan_lost(&made.plan), each == 0);
        drop(&made);
    }
}

static void test_what_is_left_out(void **state)
{
    (void)state; /* none */
    static const struct {
        const char *text, *note;
    } rows[] = {
        {"protocol=noip password=p h.a.test", "noip: login is missing"},
        {"protocol=noip login=l password=p *.a.test", "*.a.test: not the name of a host: Muster writes no wildcards"},
        {"protocol=noip login=l password=p h", "h: its domain is missing: Muster needs the whole name"},
        {"protocol=noip login=l password=p a.test", "a.test: the zone itself, whose addresses Muster leaves alone"},
        {"protocol=unheard login=l password=p h.a.test",
         "unheard: no provider of Muster's is known for it: look for it with muster provider list, or write a template "
         "(docs/providers.md)"},
        {"protocol=noip login=l password='p\xff' h.a.test", "noip: password is not a line of UTF-8"},
        {"protocol=nsupdate server=s password=k zone=a.test h.a.test", "nsupdate: its key must have an absolute path"},
        {"server='s\"' login=l password=p h.a.test",
         "dyndns2: no provider of Muster's is known for it: look for it with muster provider list, or write a template "
         "(docs/providers.md)"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct made made;
        make(&import_ddclient, rows[i].text, false, &made);
        assert_int_equal(made.plan.names_len, 0);
        assert_int_equal(made.plan.zones_len + made.plan.accounts_len, 0); /* which would be of no use */
        assert_true(import_plan_lost(&made.plan));
        assert_string_equal(made.plan.notes[made.plan.notes_len - 1].text, rows[i].note);
        drop(&made);
    }
}

static void test_what_is_of_no_use_is_dropped_and_the_rest_fits(void **state)
{
    (void)state; /* none */
    struct made made;
    make(&import_ddclient,
         "protocol=noip login=a password=p a.test\n"
         "protocol=dynu login=b password=p h.b.test\n"
         "protocol=noip login=c password=p c.test\n"
         "protocol=noip login=d password=p h.d.test,i.d.test\n",
         false, &made);
    assert_int_equal(made.plan.names_len, 3);
    assert_int_equal(made.plan.zones_len, 2);
    assert_int_equal(made.plan.accounts_len, 2);
    assert_string_equal(made.plan.zones[made.plan.names[0].zone].name, "b.test");
    assert_string_equal(made.plan.zones[made.plan.names[2].zone].name, "d.test");
    assert_string_equal(made.plan.accounts[made.plan.zones[0].account].username, "b");
    assert_string_equal(made.plan.accounts[made.plan.zones[1].account].username, "d");
    drop(&made);
}

/* inadyn.conf(5) writes Namecheap's hosts without their domain, and knew it as a server of one's own before. */
static void test_hosts_of_the_domain_that_is_the_user_name(void **state)
{
    (void)state; /* none */
    static const char *const texts[] = {
        "provider namecheap.com { username = a.test password = p hostname = { \"@\", \"www\" } }",
        "custom own { username = a.test password = p ddns-server = dynamicdns.park-your-domain.com\n"
        "ddns-path = \"/update?domain=%u&password=%p&host=%h\" hostname = { \"@\", \"www\" } }"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct made made;
        make(&import_inadyn, texts[i], false, &made);
        assert_int_equal(made.plan.names_len, 1);
        assert_string_equal(made.plan.names[0].name, "www.a.test");
        assert_string_equal(made.plan.accounts[0].provider, "namecheap");
        assert_string_equal(made.plan.notes[0].text, "a.test: the zone itself, whose addresses Muster leaves alone");
        drop(&made);
    }
}

static void test_settings_of_cloudflare(void **state)
{
    (void)state; /* none */
    struct made made;
    make(&import_inadyn,
         "provider cloudflare.com { username = a.test password = p hostname = h.a.test ttl = 1 proxied = false }\n"
         "provider cloudflare.com:2 { username = a.test password = p hostname = i.a.test ttl = 300\n proxied = true }",
         false, &made);
    assert_int_equal(made.plan.accounts_len, 1); /* a zone has one, and its options are those of the first section */
    assert_true(made.plan.accounts[0].ttl_auto && !made.plan.accounts[0].proxied);
    assert_int_equal(made.plan.notes_len, 2);
    for (size_t i = 0; i < made.plan.notes_len; i++) {
        assert_int_equal(made.plan.notes[i].line, 2 + i);
        assert_non_null(
            strstr(made.plan.notes[i].text, ": account cloudflare has it otherwise from an earlier section"));
    }
    assert_int_equal(made.plan.names[1].ttl, 300);
    drop(&made);
}

static const char *account_line(const struct import_client *client, const char *text, struct strbuf *out)
{
    const struct import_options options = {.folder = "/d", .device = "d", .broker = "b.test:8883", .certs = "/c"};
    struct made made;
    make(client, text, false, &made);
    strbuf_clear(out);
    assert_int_equal(import_plan_coordinator(&made.plan, client, &options, out), ERR_OK);
    assert_int_equal(made.plan.notes_len, 0);
    drop(&made);
    return strstr(strbuf_str(out), "    options: ");
}

static void test_what_is_an_option_here_is_written(void **state)
{
    (void)state; /* none */
    static const struct {
        const char *settings, *line;
    } rows[] = {{"ttl = 1 proxied = true", "    options: {proxied: \"true\", ttl: auto}\n"},
                {"ttl = 1", "    options: {ttl: auto}\n"},
                {"proxied = true", "    options: {proxied: \"true\"}\n"},
                {"ttl = 120 proxied = false", NULL}};
    char text[256];
    struct strbuf out;
    strbuf_init(&out, 65536);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        (void)snprintf(text, sizeof(text),
                       "provider cloudflare.com { username = a.test password = p hostname = h.a.test %s }",
                       rows[i].settings);
        const char *line = account_line(&import_inadyn, text, &out);
        assert_int_equal(line != NULL, rows[i].line != NULL);
        if (line != NULL && rows[i].line != NULL) {
            assert_memory_equal(line, rows[i].line, strlen(rows[i].line));
        }
    }
    assert_non_null(account_line(&import_ddclient,
                                 "protocol=cloudflare, zone=a.test, ttl=1, login=token, password=p h.a.test\n", &out));
    strbuf_deinit(&out);
}

/* ---- include ---- */

static const struct {
    const char *path, *text;
} files[] = {
    {"/etc/dir/login", "username = u\n\npassword = s3cret\nwildcard = true\n"},
    {"/etc/all", "period = 300\nprovider dynu.com { username = v password = p hostname = h.b.test }\n"},
    {"/etc/outer", "# nothing\ninclude(\"all\")\n"},
    {"/etc/self", "include(\"self\")\n"},
    {"/etc/broken", "period = 300\nperiod = \"3\n"},
    {"/etc/section", "provider dynu.com { }\n"},
};

static enum err read_fake(const char *path, char **ret_text, size_t *ret_len)
{
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        if (strcmp(files[i].path, path) == 0) {
            *ret_text = strdup(files[i].text);
            *ret_len = strlen(files[i].text);
            return *ret_text != NULL ? ERR_OK : ERR_NOMEM;
        }
    }
    return ERR_NOTFOUND;
}

static enum err parse(const char *text, struct made *made, struct errinfo *info)
{
    import_file_init(&made->file);
    made->file.read = read_fake;
    made->file.folder = "/etc";
    return import_parse_inadyn(view_of(text), &made->file, info);
}

static void test_an_included_file_stands_where_it_is_named(void **state)
{
    (void)state; /* none */
    const struct import_options options = {
        .folder = "/d", .device = "imported-1", .broker = "b.test:8883", .certs = "/c"};
    struct errinfo info = {0};
    struct made made;
    assert_int_equal(parse("include(outer)\nprovider no-ip.com { include(\"/etc/dir/login\")\n"
                           "hostname = h.a.test wildcard = true }\n",
                           &made, &info),
                     ERR_OK);
    assert_int_equal(import_plan_make(&import_inadyn, &made.file, &options, &made.plan), ERR_OK);
    assert_int_equal(made.plan.names_len, 2);
    assert_string_equal(made.plan.accounts[0].provider, "dynu");
    assert_string_equal(made.plan.accounts[1].username, "u");
    assert_string_equal(made.plan.accounts[1].password, "s3cret");
    assert_int_equal(made.plan.notes_len, 3); /* those of the file itself come first */
    assert_null(made.plan.notes[0].path);
    assert_int_equal(made.plan.notes[0].line, 3);
    assert_string_equal(made.plan.notes[1].path, "/etc/all");
    assert_int_equal(made.plan.notes[1].line, 1);
    assert_string_equal(made.plan.notes[2].path, "/etc/dir/login");
    assert_int_equal(made.plan.notes[2].line, 4);
    drop(&made);
}

static void test_an_included_file_that_cannot_be_is_told_with_its_place(void **state)
{
    (void)state; /* none */
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"period = 3\ninclude(\"/etc/none\")", "line 2: include: /etc/none: not found"},
        {"include(self)", "/etc/self line 1: include: too many files, or files that include each other"},
        {"include(broken)", "/etc/broken line 2: a quotation mark is not closed"},
        {"provider no-ip.com { include(section) }", "/etc/section line 1: \"=\" expected"},
        {"include()", "line 1: the name of a file expected"},
        {"include(\"all\"", "line 1: \")\" expected"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct errinfo info = {0};
        struct made made;
        assert_int_equal(parse(rows[i].text, &made, &info), ERR_PARSE);
        if (strstr(info.text, rows[i].says) != info.text) {
            fail_msg("%s: %s", rows[i].text, info.text);
        }
        import_file_deinit(&made.file);
    }
}

/* As libConfuse's lexer does, which inadyn has. */
static void test_inadyn_reads_backslashes_by_the_quotes(void **state)
{
    (void)state; /* none */
    static const struct {
        const char *written, *password;
    } rows[] = {
        {"a\\b\\\\c", "a\\b\\\\c"}, /* without quotes it is a character */
        {"a/b$c", "a/b$c"},
        {"p//comment", "p"},
        {"p/* comment */", "p"},
        {"p#comment", "p"},
        {"'a\\b\\n\\'c\\\\d'", "a\\b\\n'c\\d"},
        {"'${HOME} // # /* \\x41'", "${HOME} // # /* \\x41"},
        {"\"a\\b\\t\\q\\\"\\\\\\$'\"", "a\b\tq\"\\$'"},
        {"\"\\x41\\101\\e\\xbz\\60\"", "AA\x1b\x0bz0"},
        {"\"on\\\ne\"", "one"},
        {"\"\\${HOME} $x\"", "${HOME} $x"},
        {"\"// # /* =\"", "// # /* ="},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct made made;
        char text[256];
        (void)snprintf(
            text, sizeof(text),
            "// of C++\nprovider noip { /* of\n C **/ username = u\nhostname += h.a.test\npassword = %s\n}\n",
            rows[i].written); /* fits */
        make(&import_inadyn, text, false, &made);
        assert_int_equal(made.plan.names_len, 1);
        assert_string_equal(made.plan.accounts[0].password, rows[i].password);
        assert_int_equal(made.plan.notes_len, 0);
        drop(&made);
    }
}

static void test_inadyn_values_of_the_environment_are_named(void **state)
{
    (void)state; /* none */
    static const char *const written[] = {"\"${SECRET}\"", "${SECRET}", "\"a${SECRET:-s3cret}b\""};
    for (size_t i = 0; i < ARRAY_LEN(written); i++) {
        struct made made;
        char text[256];
        (void)snprintf(text, sizeof(text),
                       "provider noip { username = u\nhostname = { h.a.test, \"${HOST}\" }\npassword = %s\n}\n"
                       "provider noip:2 { username = u\npassword = p\nhostname = { i.a.test, \"${HOST}\" } }\n",
                       written[i]); /* fits */
        make(&import_inadyn, text, false, &made);
        assert_int_equal(made.plan.names_len, 1);
        assert_string_equal(made.plan.names[0].name, "i.a.test");
        assert_int_equal(made.plan.notes_len, 3);
        assert_string_equal(made.plan.notes[0].text, "noip: password is missing");
        assert_true(made.plan.notes[0].lost);
        assert_int_equal(made.plan.notes[1].line, 3);
        assert_string_equal(
            made.plan.notes[1].text,
            "password: the value of an environment variable is not known here: write it into the file first");
        assert_ptr_equal(strstr(made.plan.notes[2].text, "${HOST}: not the name of a host"), made.plan.notes[2].text);
        drop(&made);
    }
}

static void test_inadyn_files_that_libconfuse_refuses(void **state)
{
    (void)state; /* none */
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"period = 3 /* ", "line 1: a comment is not closed"},
        {"period = 3\nuser-agent = \"\\400\"", "line 2: no character has this number"},
        {"user-agent = \"\\0\"", "line 1: a NUL byte"},
        {"user-agent = \"\\", "line 1: a quotation mark is not closed"},
        {"period = a\"b\"", "line 1: \"=\" expected"},
        {"include(\"${HOME}/x\")", "line 1: include: the value of an environment variable"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct errinfo info = {0};
        struct made made;
        assert_int_equal(parse(rows[i].text, &made, &info), ERR_PARSE);
        if (strstr(info.text, rows[i].says) != info.text) {
            fail_msg("%s: %s", rows[i].text, info.text);
        }
        import_file_deinit(&made.file);
    }
}

static void test_one_label_is_one_device(void **state)
{
    (void)state; /* none */
    struct made made;
    make(&import_ddclient, "protocol=noip login=l password=p h.a.test,h.b.test", true, &made);
    assert_int_equal(made.plan.names_len, 1);
    assert_true(import_plan_lost(&made.plan));
    drop(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_services_are_known),
        cmocka_unit_test(test_inadyn_names_services_in_many_ways),
        cmocka_unit_test(test_ddclient_lines),
        cmocka_unit_test(test_ddclient_credentials),
        cmocka_unit_test(test_accounts_have_what_they_need),
        cmocka_unit_test(test_a_path_of_ones_own),
        cmocka_unit_test(test_ddclient_families),
        cmocka_unit_test(test_sections_of_one_name_are_joined),
        cmocka_unit_test(test_a_device_has_so_many_names),
        cmocka_unit_test(test_what_is_left_out),
        cmocka_unit_test(test_what_is_of_no_use_is_dropped_and_the_rest_fits),
        cmocka_unit_test(test_hosts_of_the_domain_that_is_the_user_name),
        cmocka_unit_test(test_settings_of_cloudflare),
        cmocka_unit_test(test_what_is_an_option_here_is_written),
        cmocka_unit_test(test_an_included_file_stands_where_it_is_named),
        cmocka_unit_test(test_an_included_file_that_cannot_be_is_told_with_its_place),
        cmocka_unit_test(test_inadyn_reads_backslashes_by_the_quotes),
        cmocka_unit_test(test_inadyn_values_of_the_environment_are_named),
        cmocka_unit_test(test_inadyn_files_that_libconfuse_refuses),
        cmocka_unit_test(test_one_label_is_one_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
