// TLS over a non-blocking socket, for who waits with poll().
//
// Threads: one.
// Requires that SIGPIPE is ignored: OpenSSL writes as it is told, also into a connection that was closed.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "redis/tls.h"

namespace weir {

class TlsSession {
 public:
  // `socket` is connected, outlives this object and is not closed by it; `host` is what the peer's
  // certificate must be for.
  TlsSession(TlsContextPtr context, int socket, std::string host);

  struct Progress {
    std::size_t bytes = 0;  // Read or written.
    short events = 0;       // Nothing moved: what to poll() for. 0 where something did, or the end has come.
    std::string why_ended = {};  // Empty: it has not.
  };
  // Until neither `events` nor `why_ended` is set.
  Progress handshake();
  // The next decrypted bytes. Only when it waits for events may one poll(): some may be decrypted already.
  Progress read(char* to, std::size_t size);
  // What has been counted as written is wholly with the kernel; the rest is not known to the peer.
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
