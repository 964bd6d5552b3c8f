// TLS over one connected socket, by asio's ssl::stream. Its headers and OpenSSL's stay in the .cpp file.
//
// Destroying the stream closes the socket at once, without a close_notify. Operations under way still call
// their functions, with an error, and keep the stream's buffers alive until then.
//
// Threads: everything on the thread that runs the socket's io_context.
// Limits:  one read and one write at a time. A read brings at most one record, 16 KB; OpenSSL keeps the rest
//          for the next read. A write holds a copy of its bytes until all of them are sent.
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

  // The peer's certificate must be for `host`.
  TlsStream(TlsContextPtr context, Socket socket, std::string host);
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  // Calls `done` with the reason of a failure, or with an empty one: then read and write may begin.
  void handshake(std::function<void(const std::string& why_not)> done);
  // Calls `done` with the next bytes, valid during the call, or with an error.
  void read(std::function<void(asio::error_code error, std::string_view bytes)> done);
  // Copies `bytes`, and calls `done` when all of them are sent, or with an error.
  void write(std::string_view bytes, std::function<void(asio::error_code error)> done);

 private:
  struct State;
  std::shared_ptr<State> state_;  // Shared with the operations under way.
};

// The meaning of an error of read() or write(). Errors that are not TLS' own are in the system's words.
std::string tls_error_text(asio::error_code error);

}  // namespace weir
