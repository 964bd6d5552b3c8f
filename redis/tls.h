// TLS to Redis, as far as the gateway's loop and the publishers' poll() share it: the trusted CAs, the check
// of the peer, the words for a failure. Includes none of OpenSSL's headers.
//
// TLS 1.2 or 1.3, no renegotiation, no compression. The peer's certificate must lead to a trusted CA, be
// valid now, and be for the host of the URL.
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

// Reads the files; the error names the setting, the file and the mistake.
Result<TlsContextPtr> make_tls_context(const RedisFiles& files);

// Call it before the handshake of `session`. The peer's certificate must then be for `host`, a name or
// an IP address (RFC 6125). A name is sent along (SNI), so that a proxy knows which Redis is meant.
// False if no certificate can be for `host`. Do not begin the handshake then: it would accept any
// certificate of a trusted CA.
[[nodiscard]] bool expect_host(ssl_st& session, const std::string& host);

// The reason why the handshake of `session` with `host` failed, for people. `code` is the result of
// ERR_get_error(), or 0 if the connection was closed.
std::string why_handshake_failed(const ssl_st& session, const std::string& host, unsigned long code);
// The same for an error after the handshake. With TLS 1.3 the peer refuses our certificate only then.
std::string tls_error_text(unsigned long code);

}  // namespace weir
