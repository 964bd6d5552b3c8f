// TLS to Redis, as far as the gateway's loop and the publishers' poll() have it in common: who is trusted,
// what is asked of the peer, and in which words a failure is told. OpenSSL's headers stay out of it.
//
// TLS 1.2 or 1.3, no renegotiation, no compression. The peer's certificate must lead to a trusted CA, be of
// the present, and be for the host of the URL.
#pragma once

#include <memory>
#include <string>

#include "proto/result.h"
#include "redis/redis_files.h"

struct ssl_ctx_st;  // OpenSSL's SSL_CTX.
struct ssl_st;      // Its SSL: one connection.

namespace weir {

struct FreeTlsContext {
  void operator()(ssl_ctx_st* context) const;
};
using TlsContextPtr = std::unique_ptr<ssl_ctx_st, FreeTlsContext>;

// Reads the files; the error names the setting, the file and what is wrong with it.
Result<TlsContextPtr> make_tls_context(const RedisFiles& files);

// For a connection that has not begun its handshake: the certificate must be for `host`, a name or an IP
// address (RFC 6125), and a name is sent along (SNI), so that a proxy can tell which Redis is meant. False
// where no certificate could be for it: then the handshake must not begin, since any of a trusted CA would
// do.
[[nodiscard]] bool expect_host(ssl_st& session, const std::string& host);

// Why the handshake of `session` with `host` failed, for people. `code` is what ERR_get_error() gave, 0 where
// the connection was closed instead.
std::string why_handshake_failed(const ssl_st& session, const std::string& host, unsigned long code);
// The same for an error after the handshake. TLS 1.3 tells only then what became of our certificate.
std::string tls_error_text(unsigned long code);

}  // namespace weir
