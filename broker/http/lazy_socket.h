// A connected socket that the loop hears of only when something waits for it.
//
// A stream's request is mostly there when its connection is accepted, and the socket then leaves for a shard
// without a wait: two epoll_ctl() less for each of those that come back after a restart.
#pragma once

#include <sys/types.h>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <string_view>
#include <utility>

namespace weir {

// Threads:   the loop's.
// Ownership: of the descriptor, until release() or close().
class LazySocket {
 public:
  // `descriptor` is connected and does not block.
  LazySocket(asio::io_context& loop, int descriptor) : waiter_(loop), descriptor_(descriptor) {}
  ~LazySocket() { close(); }
  LazySocket(const LazySocket&) = delete;
  LazySocket& operator=(const LazySocket&) = delete;

  // Bytes taken or given; 0 when the peer sends no more, -1 with errno as recv(2) and send(2).
  ssize_t read(char* to, std::size_t size);
  ssize_t write(std::string_view bytes);
  void shutdown_send();

  // Calls `handler` with an error, or once the socket can be read (written).
  template <typename Handler>
  void wait(asio::ip::tcp::socket::wait_type type, Handler handler) {
    add_to_loop();
    waiter_.async_wait(type, std::move(handler));
  }

  // Gives the descriptor away; a pending wait ends with an error.
  int release();
  // Takes back what was released.
  void adopt(int descriptor) { descriptor_ = descriptor; }
  void close();

 private:
  void add_to_loop();

  asio::ip::tcp::socket waiter_;  // Open from the first wait on; the descriptor is its own then.
  int descriptor_;
};

}  // namespace weir
