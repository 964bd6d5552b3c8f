// TLS over a non-blocking socket, for callers that wait with poll(). (The gateway waits with asio, whose
// ssl::stream owns socket and buffers.)
//
// Threads:  one.
// Requires: SIGPIPE is ignored. OpenSSL writes even into a connection that was closed.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "redis/tls.h"

namespace weir {

class TlsSession {
 public:
  // `socket` is connected and outlives this object, which does not close it. The peer's certificate must be
  // for `host`.
  TlsSession(TlsContextPtr context, int socket, std::string host);

  struct Progress {
    // Read or written.
    std::size_t bytes = 0;
    // If nothing moved: what to poll() for. 0 if something did, or if the connection has ended.
    short events = 0;
    // Why the connection has ended; empty if it has not.
    std::string why_ended = {};
  };
  // Call it again after `events` until neither they nor `why_ended` are set.
  Progress handshake();
  // The next decrypted bytes. Read until there are `events` before you poll(): some may be decrypted already.
  Progress read(char* to, std::size_t size);
  // The kernel has all bytes that are counted as written. The peer gets nothing of the rest.
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
