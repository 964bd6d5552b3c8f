#include "broker/http/lazy_socket.h"

#include <sys/socket.h>
#include <unistd.h>

#include <system_error>

namespace weir {

ssize_t LazySocket::read(char* to, std::size_t size) { return ::recv(descriptor_, to, size, 0); }

ssize_t LazySocket::write(std::string_view bytes) {
  return ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

void LazySocket::shutdown_send() { ::shutdown(descriptor_, SHUT_WR); }

void LazySocket::add_to_loop() {
  if (waiter_.is_open()) return;
  // The protocol matters only to calls that are not made here. If this fails, the wait fails.
  std::error_code ignored;
  waiter_.assign(asio::ip::tcp::v4(), descriptor_, ignored);
}

int LazySocket::release() {
  std::error_code ignored;
  if (waiter_.is_open()) waiter_.release(ignored);
  return std::exchange(descriptor_, -1);
}

void LazySocket::close() {
  if (descriptor_ < 0) return;
  ::close(release());
}

}  // namespace weir
