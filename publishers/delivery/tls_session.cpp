#include "publishers/delivery/tls_session.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

namespace weir {

void TlsSession::FreeSession::operator()(ssl_st* session) const { SSL_free(session); }

TlsSession::TlsSession(TlsContextPtr context, int socket, std::string host)
    : host_(std::move(host)), session_(SSL_new(context.get())) {
  // The session shares the context.
  if (!session_ || SSL_set_fd(session_.get(), socket) != 1) throw std::bad_alloc();
  SSL_set_connect_state(session_.get());
}

TlsSession::Progress TlsSession::handshake() {
  if (SSL_in_before(session_.get()) != 0 && !expect_host(*session_, host_)) {
    return {.why_ended = "TLS: no certificate can be for the host " + host_};
  }
  ERR_clear_error();
  const int result = SSL_do_handshake(session_.get());
  if (result == 1) return {};
  const unsigned long code = ERR_peek_error();
  Progress progress = after(result, 0);
  if (!progress.why_ended.empty()) progress.why_ended = why_handshake_failed(*session_, host_, code);
  return progress;
}

TlsSession::Progress TlsSession::read(char* to, std::size_t size) {
  ERR_clear_error();
  std::size_t bytes = 0;
  const int result = SSL_read_ex(session_.get(), to, size, &bytes);
  return after(result, bytes);
}

TlsSession::Progress TlsSession::write(const char* from, std::size_t size) {
  ERR_clear_error();
  std::size_t bytes = 0;
  const int result = SSL_write_ex(session_.get(), from, size, &bytes);
  return after(result, bytes);
}

TlsSession::Progress TlsSession::after(int result, std::size_t bytes) {
  if (result == 1) return {.bytes = bytes};
  const int error = errno;
  switch (SSL_get_error(session_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return {.events = POLLIN};
    case SSL_ERROR_WANT_WRITE:
      return {.events = POLLOUT};
    case SSL_ERROR_SYSCALL:
      return {.why_ended = error == 0 ? "the connection was closed" : std::strerror(error)};
    case SSL_ERROR_SSL:
      return {.why_ended = tls_error_text(ERR_peek_error())};
    default:
      return {.why_ended = "the connection was closed"};
  }
}

}  // namespace weir
