#include "broker/bus/tls_stream.h"

#include <openssl/err.h>

#include <array>
#include <asio/buffer.hpp>
#include <asio/post.hpp>
#include <asio/ssl/context.hpp>
#include <asio/ssl/error.hpp>
#include <asio/ssl/stream.hpp>
#include <asio/write.hpp>
#include <utility>

namespace weir {
namespace {

constexpr std::size_t kRecordBytesMax = 16 << 10;
// An emptied buffer larger than this gives its memory back (a large message has passed).
constexpr std::size_t kKeptBytes = 1 << 20;

unsigned long code_of(asio::error_code error) {
  const bool is_ssl = error.category() == asio::error::get_ssl_category();
  return is_ssl ? static_cast<unsigned long>(error.value()) : 0;
}

}  // namespace

struct TlsStream::State {
  State(TlsContextPtr tls_context, Socket socket, std::string the_host)
      : context(tls_context.release()), stream(std::move(socket), context), host(std::move(the_host)) {}

  asio::ssl::context context;  // Owns the certificates and keys it was given.
  asio::ssl::stream<Socket> stream;
  const std::string host;
  std::array<char, kRecordBytesMax> in;
  std::string out;
};

TlsStream::TlsStream(TlsContextPtr context, Socket socket, std::string host)
    : state_(std::make_shared<State>(std::move(context), std::move(socket), std::move(host))) {}

TlsStream::~TlsStream() {
  asio::error_code ignored;
  state_->stream.next_layer().close(ignored);
}

void TlsStream::handshake(std::function<void(const std::string& why_not)> done) {
  State& state = *state_;
  if (!expect_host(*state.stream.native_handle(), state.host)) {
    return asio::post(state.stream.get_executor(), [state = state_, done = std::move(done)] {
      done("TLS: no certificate can be for the host " + state->host);
    });
  }
  state.stream.async_handshake(
      asio::ssl::stream_base::client, [state = state_, done = std::move(done)](asio::error_code error) {
        if (!error) return done({});
        const bool is_known = error.category() == asio::error::get_ssl_category() ||
                              error == asio::ssl::error::stream_truncated || error == asio::error::eof;
        done(is_known ? why_handshake_failed(*state->stream.native_handle(), state->host, code_of(error))
                      : "TLS: " + error.message() + " during the handshake");
      });
}

void TlsStream::read(std::function<void(asio::error_code error, std::string_view bytes)> done) {
  State& state = *state_;
  state.stream.async_read_some(asio::buffer(state.in), [state = state_, done = std::move(done)](
                                                           asio::error_code error, std::size_t size) {
    done(error, {state->in.data(), size});
  });
}

void TlsStream::write(std::string_view bytes, std::function<void(asio::error_code error)> done) {
  State& state = *state_;
  state.out.assign(bytes);
  asio::async_write(state.stream, asio::buffer(state.out),
                    [state = state_, done = std::move(done)](asio::error_code error, std::size_t) {
                      state->out.clear();
                      if (state->out.capacity() > kKeptBytes) state->out.shrink_to_fit();
                      done(error);
                    });
}

std::string tls_error_text(asio::error_code error) {
  // Redis sends no close_notify, so an end without one is normal. A reply that was cut off is
  // never taken for whole.
  if (error == asio::error::eof || error == asio::ssl::error::stream_truncated) return "closed by Redis";
  if (const auto code = code_of(error); code != 0) return tls_error_text(code);
  return error.message();
}

}  // namespace weir
