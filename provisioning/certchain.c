/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/certchain.h"

#include "provisioning/der.h"

#define USE_DIGITAL_SIGNATURE (1u << 0)
#define USE_KEY_CERT_SIGN     (1u << 5)
#define NAME_URI              (DER_CONTEXT | 6)

static enum err refuse(struct errinfo *info, enum err err, const char *what)
{
    return errinfo_set(info, err, "cert", 0, "%s", what);
}

static enum err check_time(const struct certread *cert, const struct certchain_rules *rules, struct errinfo *info)
{
    if (rules->now_s > cert->validity.not_after_s) {
        return refuse(info, ERR_RANGE, "a certificate of the chain has expired");
    }
    if (rules->now_s < cert->validity.not_before_s && !rules->clock_lags) {
        return refuse(info, ERR_RANGE, "a certificate of the chain is not valid yet");
    }
    return ERR_OK;
}

/** The names that a profile gives its leaves, and no others: so no constraint of a CA can be offended either. */
static bool names_fit(const struct certread *leaf, enum cert_profile profile)
{
    struct view rest = leaf->alt_names;
    struct view uri;
    struct view urn = VIEW_LITERAL(CERT_DEVICE_URN);
    if (profile != CERT_DEVICE) {
        return rest.len == 0;
    }
    return der_expect(&rest, NAME_URI, &uri) == ERR_OK && rest.len == 0 && view_starts_with(uri, urn) &&
           view_equal(view_n(uri.ptr + urn.len, uri.len - urn.len), leaf->common_name);
}

static enum err check_leaf(const struct certread *leaf, enum cert_profile profile, struct errinfo *info)
{
    const struct cert_subject subject = {.profile = profile, .common_name = leaf->common_name};
    if (leaf->is_ca || !leaf->client_auth || leaf->server_auth || (leaf->key_usage & USE_DIGITAL_SIGNATURE) == 0 ||
        !names_fit(leaf, profile)) {
        return errinfo_set(info, ERR_AUTH, "cert", 0, "not a certificate of a %s", cert_profile_name(profile));
    }
    return cert_subject_check(&subject, info) == ERR_OK ? ERR_OK : ERR_AUTH;
}

static enum err check_issuer(const struct certread *ca, enum cert_profile profile, struct errinfo *info)
{
    enum cert_profile wanted = cert_profile_issuer(profile);
    if (!ca->is_ca || !ca->has_path_len || ca->path_len != 0 || (ca->key_usage & USE_KEY_CERT_SIGN) == 0 ||
        !ca->client_auth || ca->server_auth || !view_ends_with(ca->common_name, view_of(cert_ca_suffix(wanted)))) {
        return errinfo_set(info, ERR_AUTH, "cert", 0, "not issued by a %s", cert_profile_name(wanted));
    }
    return ERR_OK;
}

/** The trusted root that signed @p ca. */
static enum err check_roots(const struct certread *ca, const struct certchain_rules *rules, int64_t *signed_s,
                            struct errinfo *info)
{
    for (size_t i = 0; i < rules->roots_len; i++) {
        struct certread root;
        enum err err = certread_parse(rules->roots[i], &root);
        if (err != ERR_OK) {
            return refuse(info, err, "a trusted root is not a certificate of ours");
        }
        if (!root.is_ca || (root.key_usage & USE_KEY_CERT_SIGN) == 0 || certread_verify(ca, &root) != ERR_OK) {
            continue;
        }
        *signed_s = MAX(*signed_s, root.validity.not_before_s);
        return check_time(&root, rules, info);
    }
    return refuse(info, ERR_AUTH, "the chain does not lead to a root that is trusted");
}

static enum err check_chain(const struct certread *leaf, const struct certread *ca, const struct certchain_rules *rules,
                            int64_t *ret_signed_s, struct errinfo *info)
{
    enum err err = check_leaf(leaf, rules->profile, info);
    if (err == ERR_OK) {
        err = check_issuer(ca, rules->profile, info);
    }
    if (err == ERR_OK && certread_verify(leaf, ca) != ERR_OK) {
        err = refuse(info, ERR_AUTH, "the chain's certificates do not belong together");
    }
    if (err == ERR_OK) {
        *ret_signed_s = MAX(leaf->validity.not_before_s, ca->validity.not_before_s);
        err = check_roots(ca, rules, ret_signed_s, info);
    }
    if (err == ERR_OK) {
        err = check_time(ca, rules, info);
    }
    return err == ERR_OK ? check_time(leaf, rules, info) : err;
}

enum err certchain_verify(const struct view *chain, size_t chain_len, const struct certchain_rules *rules,
                          struct certread *ret_leaf, int64_t *ret_signed_s, struct errinfo *info)
{
    assert(rules->profile == CERT_DEVICE || rules->profile == CERT_SERVICE || rules->profile == CERT_CLAIM);
    struct certread leaf;
    struct certread ca;
    int64_t signed_s;
    if (chain_len != CERTCHAIN_LEN) {
        return refuse(info, ERR_AUTH, "a chain is the certificate and its issuing CA");
    }
    enum err err = certread_parse(chain[0], &leaf);
    if (err == ERR_OK) {
        err = certread_parse(chain[1], &ca);
    }
    if (err != ERR_OK) {
        return refuse(info, err, "the chain holds what is no certificate of ours");
    }
    err = check_chain(&leaf, &ca, rules, &signed_s, info);
    if (err == ERR_OK) {
        *ret_leaf = leaf;
        if (ret_signed_s != NULL) {
            *ret_signed_s = signed_s;
        }
    }
    return err;
}
