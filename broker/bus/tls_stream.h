// TLS over one connected socket, by asio's ssl::stream; its headers, and OpenSSL's, stay in the .cpp file.
//
// Whoever ends the stream destroys it: the socket is closed at once, without a goodbye, and functions given
// to an operation under way are still called, with an error. Until then the stream's buffers live on.
//
// Threads: everything on the thread that runs the socket's io_context.
// Limits:  one read and one write at a time. A read brings one record, 16 KB, whatever else has arrived: the
//          next one finds what OpenSSL has kept. A write's bytes are held until all of them are sent.
#pragma once

#include <asio/generic/stream_protocol.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "redis/tls.h"

namespace weir {

class TlsStream {
 public:
  using Socket = asio::generic::stream_protocol::socket;

  // `host` is what the peer's certificate must be for.
  TlsStream(TlsContextPtr context, Socket socket, std::string host);
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  // Called with why it failed; empty: it did not, and one may read and write.
  void handshake(std::function<void(const std::string& why_not)> done);
  // Called with the next bytes, valid during the call, or with an error.
  void read(std::function<void(asio::error_code error, std::string_view bytes)> done);
  // Copies `bytes`.
  void write(std::string_view bytes, std::function<void(asio::error_code error)> done);

 private:
  struct State;
  std::shared_ptr<State> state_;  // Shared with the operations under way.
};

// What an error of a read or write means; other errors are in the system's words.
std::string tls_error_text(asio::error_code error);

}  // namespace weir
