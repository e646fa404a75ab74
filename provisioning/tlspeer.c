/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/tlspeer.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <wolfssl/options.h> /* before every other wolfSSL header, or their types differ from the library's */

#include <wolfssl/ssl.h>

#include "base/ip.h"
#include "provisioning/der.h"
#include "provisioning/key.h"

#define ADDRESS_SIZE IP_TEXT_SIZE

struct look {
    struct tlspeer peer;
    const char *host;
    bool seen;
};

static void free_context(WOLFSSL_CTX **context)
{
    wolfSSL_CTX_free(*context);
}

static void free_ssl(WOLFSSL **ssl)
{
    wolfSSL_free(*ssl);
}

static enum tlspeer_fault fault_of(int error)
{
    switch (error) {
    case 0:
        return TLSPEER_GOOD;
    case ASN_AFTER_DATE_E:
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD: /* what 5.5.4 makes of ASN_AFTER_DATE_E */
        return TLSPEER_EXPIRED;
    case ASN_BEFORE_DATE_E:
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD:
        return TLSPEER_NOT_YET;
    case ASN_NO_SIGNER_E:
    case ASN_SELF_SIGNED_E:
    case ASN_SIG_CONFIRM_E: /* another authority of the same name */
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return TLSPEER_CHAIN;
    default:
        return TLSPEER_DEFECTIVE;
    }
}

static void set_fault(struct look *look, enum tlspeer_fault fault, int error)
{
    if (look->peer.fault != TLSPEER_GOOD) {
        return; /* the first one counts: the others follow from it */
    }
    look->peer.fault = fault;
    const char *text = error < 0   ? wolfSSL_ERR_reason_error_string((unsigned long)(long)error)
                       : error > 0 ? wolfSSL_X509_verify_cert_error_string(error)
                                   : "";
    (void)snprintf(look->peer.text, sizeof(look->peer.text), "%s", text != NULL ? text : ""); /* cut */
}

/* wolfSSL keeps a time as its DER: tag, length, text. */
static bool read_time(const unsigned char *time, int64_t *ret_s)
{
    return time != NULL && der_time(time[0], view_n((const char *)time + 2, time[1]), ret_s) == ERR_OK;
}

/* wolfSSL compares addresses as text, IPv6 as eight groups of four digits: "2001:0DB8:0000:...". */
static void write_as_wolfssl(const struct ip *ip, char text[static ADDRESS_SIZE])
{
    if (ip->family == IP_V4) {
        (void)ip_format(ip, text); /* the length is not needed */
        return;
    }
    for (size_t i = 0; i < 8; i++) {
        (void)snprintf(text + i * 5, ADDRESS_SIZE - i * 5, "%02X%02X%s", ip->bytes[2 * i], ip->bytes[2 * i + 1],
                       i < 7 ? ":" : ""); /* fits */
    }
}

static bool is_for(WOLFSSL_X509 *x509, const char *host)
{
    struct ip ip;
    char text[ADDRESS_SIZE];
    if (ip_parse(view_of(host), &ip) != ERR_OK) {
        return wolfSSL_X509_check_host(x509, host, strlen(host), 0, NULL) == WOLFSSL_SUCCESS;
    }
    write_as_wolfssl(&ip, text);
    return wolfSSL_X509_check_ip_asc(x509, text, 0) == WOLFSSL_SUCCESS;
}

/* Once a certificate, from the authority's end down to the server's own at depth 0. */
static int on_certificate(int good, WOLFSSL_X509_STORE_CTX *store)
{
    struct look *look = store->userCtx;
    if (good == 0) {
        set_fault(look, fault_of(store->error), store->error);
    }
    if (store->error_depth == 0 && store->current_cert != NULL && !look->seen) {
        look->seen = true;
        look->peer.has_validity = read_time(wolfSSL_X509_notBefore(store->current_cert), &look->peer.not_before_s) &&
                                  read_time(wolfSSL_X509_notAfter(store->current_cert), &look->peer.not_after_s);
        if (!is_for(store->current_cert, look->host)) {
            set_fault(look, TLSPEER_NAME, 0);
        }
    }
    return 1;
}

static enum err load(WOLFSSL_CTX *context, const char *ca_file, struct errinfo *info)
{
    int rc = wolfSSL_CTX_load_verify_locations_ex(context, ca_file, NULL, WOLFSSL_LOAD_FLAG_DATE_ERR_OKAY);
    return rc == WOLFSSL_SUCCESS ? ERR_OK
                                 : errinfo_set(info, ERR_INVALID, "tls", rc, "%s: cannot be used as an authority (%s)",
                                               ca_file, wolfSSL_ERR_reason_error_string((unsigned long)(long)rc));
}

static enum err shake_hands(WOLFSSL *ssl, struct look *look, int fd)
{
    struct ip ip;
    bool named = ip_parse(view_of(look->host), &ip) != ERR_OK; /* RFC 6066 3: no addresses */
    wolfSSL_SetCertCbCtx(ssl, look);
    if (named &&
        wolfSSL_UseSNI(ssl, WOLFSSL_SNI_HOST_NAME, look->host, (unsigned short)strlen(look->host)) != WOLFSSL_SUCCESS) {
        return ERR_NOMEM;
    }
    if (wolfSSL_set_fd(ssl, fd) != WOLFSSL_SUCCESS) {
        return ERR_NOMEM;
    }
    wolfSSL_SetIOWriteFlags(ssl, MSG_NOSIGNAL); /* the server may have closed: no SIGPIPE */
    int rc = wolfSSL_connect(ssl);
    if (!look->seen) { /* what comes after the certificate is about ours, which we do not show */
        set_fault(look, TLSPEER_NO_TLS, rc == WOLFSSL_SUCCESS ? 0 : wolfSSL_get_error(ssl, rc));
    }
    return ERR_OK;
}

static enum err look_at(int fd, const char *host, const char *ca_file, struct tlspeer *ret_peer, struct errinfo *info)
{
    struct look look = {.host = host};
    if (wolfSSL_Init() != WOLFSSL_SUCCESS) {
        return errinfo_set(info, ERR_NOMEM, "tls", 0, "the TLS library does not start");
    }
    CLEANUP(free_context) WOLFSSL_CTX *context = wolfSSL_CTX_new(wolfTLS_client_method());
    if (context == NULL) {
        return errinfo_set(info, ERR_NOMEM, "tls", 0, "%s", err_text(ERR_NOMEM));
    }
    enum err err = ca_file != NULL ? load(context, ca_file, info) : ERR_OK;
    if (err != ERR_OK) {
        return err;
    }
    wolfSSL_CTX_set_verify(context, WOLFSSL_VERIFY_PEER, on_certificate);
    CLEANUP(free_ssl) WOLFSSL *ssl = wolfSSL_new(context);
    err = ssl == NULL ? ERR_NOMEM : shake_hands(ssl, &look, fd);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "tls", 0, "%s", err_text(err));
    }
    *ret_peer = look.peer;
    return ERR_OK;
}

enum err tlspeer_look(int fd, const char *host, const char *ca_file, struct tlspeer *ret_peer, struct errinfo *info)
{
    enum err err = look_at(fd, host, ca_file, ret_peer, info);
    key_forget_tables(); /* this thread's, which may end now */
    return err;
}
