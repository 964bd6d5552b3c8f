#include "redis/tls.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <new>
#include <utility>

namespace weir {
namespace {

constexpr std::size_t kPemBytesMax = 1 << 20;

Error about(const char* setting, const std::string& path, const std::string& what) {
  ERR_clear_error();
  return Error{std::string(setting) + " = \"" + path + "\": " + what};
}

// The first error that OpenSSL found, such as "no start line".
std::string first_error() {
  const char* reason = ERR_reason_error_string(ERR_peek_error());
  return reason == nullptr ? "unknown error" : reason;
}

// Without it OpenSSL would ask for an encrypted key's passphrase at the terminal.
int no_passphrase(char*, int, int, void*) { return 0; }

std::optional<Error> trust(SSL_CTX& context, const std::string& path) {
  if (path.empty()) {
    SSL_CTX_set_default_verify_paths(&context);
    return std::nullopt;
  }
  // Reads the file only for its error, which is in the system's words.
  if (auto content = read_setting_file("redis-ca-file", path, kPemBytesMax); !content) return content.error();
  if (SSL_CTX_load_verify_locations(&context, path.c_str(), nullptr) == 1) return std::nullopt;
  return about("redis-ca-file", path, "holds no certificates in PEM (" + first_error() + ")");
}

std::optional<Error> show(SSL_CTX& context, const RedisFiles& files) {
  if (files.certificate.empty()) return std::nullopt;
  if (auto content = read_setting_file("redis-certificate-file", files.certificate, kPemBytesMax); !content) {
    return content.error();
  }
  if (auto content = read_setting_file("redis-key-file", files.key, kPemBytesMax); !content) {
    return content.error();
  }
  if (SSL_CTX_use_certificate_chain_file(&context, files.certificate.c_str()) != 1) {
    return about("redis-certificate-file", files.certificate,
                 "holds no certificate in PEM (" + first_error() + ")");
  }
  if (SSL_CTX_use_PrivateKey_file(&context, files.key.c_str(), SSL_FILETYPE_PEM) == 1) return std::nullopt;
  const bool is_other = ERR_GET_LIB(ERR_peek_error()) == ERR_LIB_X509;
  return about("redis-key-file", files.key,
               is_other ? "is not the key of the certificate in redis-certificate-file"
                        : "holds no private key in PEM without a passphrase (" + first_error() + ")");
}

bool is_ip_address(const std::string& host) {
  in6_addr address{};
  return inet_pton(AF_INET, host.c_str(), &address) == 1 || inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

}  // namespace

void FreeTlsContext::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

Result<TlsContextPtr> make_tls_context(const RedisFiles& files) {
  ERR_clear_error();
  TlsContextPtr context(SSL_CTX_new(TLS_client_method()));
  if (!context) throw std::bad_alloc();
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // Give a buffer back while nothing is under way, and let a write that had to wait go
  // on from another address.
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_default_passwd_cb(context.get(), no_passphrase);
  if (auto error = trust(*context, files.ca)) return *error;
  if (auto error = show(*context, files)) return *error;
  return context;
}

bool expect_host(ssl_st& session, const std::string& host) {
  X509_VERIFY_PARAM* const expected = SSL_get0_param(&session);
  if (is_ip_address(host)) return X509_VERIFY_PARAM_set1_ip_asc(expected, host.c_str()) == 1;
  // "redis.example." is the same host, written so that no search list applies. A certificate
  // has no final dot.
  const std::string name = host.ends_with('.') ? host.substr(0, host.size() - 1) : host;
  X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return !name.empty() && X509_VERIFY_PARAM_set1_host(expected, name.c_str(), name.size()) == 1 &&
         SSL_set_tlsext_host_name(&session, name.c_str()) == 1;
}

std::string why_handshake_failed(const ssl_st& session, const std::string& host, unsigned long code) {
  const long verdict = SSL_get_verify_result(&session);
  if (verdict != X509_V_OK) {
    return "TLS: the certificate that was shown for " + host +
           " is not accepted: " + X509_verify_cert_error_string(verdict);
  }
  if (code == 0) return "TLS: the connection was closed during the handshake";
  return tls_error_text(code);
}

std::string tls_error_text(unsigned long code) {
  if (ERR_GET_LIB(code) == ERR_LIB_SSL) {
    switch (ERR_GET_REASON(code)) {
      case SSL_R_WRONG_VERSION_NUMBER:
        return "TLS: what answers on this port does not speak TLS";
      case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
        return "TLS: Redis wants a client certificate (redis-certificate-file)";
      case SSL_R_UNEXPECTED_EOF_WHILE_READING:
        return "TLS: the connection was cut";
      default:
        break;
    }
  }
  // OpenSSL would load them only with the first context.
  OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS, nullptr);
  const char* const reason = ERR_reason_error_string(code);
  return std::string("TLS: ") + (reason == nullptr ? "error " + std::to_string(code) : reason);
}

}  // namespace weir
