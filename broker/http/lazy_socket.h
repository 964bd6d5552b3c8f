// A connected socket that joins the loop at its first wait.
//
// A stream's request has mostly arrived when its connection is accepted, and the socket leaves for a shard
// without a wait. That saves two epoll_ctl() for each client that reconnects after a restart.
#pragma once

#include <sys/types.h>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <string_view>
#include <utility>

namespace weir {

// Threads:   the loop's.
// Ownership: it owns the descriptor until release() or close(); the loop outlives it.
class LazySocket {
 public:
  // `descriptor` is connected and does not block.
  LazySocket(asio::io_context& loop, int descriptor) : waiter_(loop), descriptor_(descriptor) {}
  ~LazySocket() { close(); }
  LazySocket(const LazySocket&) = delete;
  LazySocket& operator=(const LazySocket&) = delete;

  // Return the number of bytes; 0 if the peer sends no more; -1 with errno, like recv(2) and send(2).
  ssize_t read(char* to, std::size_t size);
  ssize_t write(std::string_view bytes);
  void shutdown_send();

  // Calls `handler` on the loop when the socket can be read or written, or with an error.
  template <typename Handler>
  void wait(asio::ip::tcp::socket::wait_type type, Handler handler) {
    add_to_loop();
    waiter_.async_wait(type, std::move(handler));
  }

  // Gives the descriptor away; a pending wait ends with an error.
  int release();
  // Takes back the released descriptor.
  void adopt(int descriptor) { descriptor_ = descriptor; }
  void close();

 private:
  void add_to_loop();

  asio::ip::tcp::socket waiter_;  // Open from the first wait on, and then holds the descriptor, too.
  int descriptor_;
};

}  // namespace weir
