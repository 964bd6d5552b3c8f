// TLS over a non-blocking socket, for callers that wait with poll(). (The gateway waits with asio, whose
// ssl::stream owns socket and buffers.)
//
// Threads:  one.
// Requires: SIGPIPE is ignored, since OpenSSL writes even into a closed connection.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "redis/tls.h"

namespace weir {

class TlsSession {
 public:
  // `socket` is connected and outlives this object, which does not close it. The peer's certificate
  // must be for `host`.
  TlsSession(TlsContextPtr context, int socket, std::string host);

  struct Progress {
    // Bytes read or written.
    std::size_t bytes = 0;
    // If nothing moved, the events to poll() for. 0 if something did, or if the connection has ended.
    short events = 0;
    // Why the connection has ended; empty if it has not.
    std::string why_ended = {};
  };
  // Call it again after `events` until both they and `why_ended` are unset.
  Progress handshake();
  // The next decrypted bytes. Read until there are `events` before you poll(): TLS may hold decrypted bytes.
  Progress read(char* to, std::size_t size);
  // Bytes counted as written are in the kernel. The peer gets nothing of the rest.
  Progress write(const char* from, std::size_t size);

 private:
  struct FreeSession {
    void operator()(ssl_st* session) const;
  };
  Progress after(int result, std::size_t bytes);

  const std::string host_;
  std::unique_ptr<ssl_st, FreeSession> session_;
};

}  // namespace weir
