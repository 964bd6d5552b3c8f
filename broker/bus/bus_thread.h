// The bus thread: one asio loop that runs from start() to stop().
//
// Threads: start() and stop() from one other thread; stop() never from the bus thread itself.
#pragma once

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <cassert>
#include <thread>
#include <utility>

#include "process/thread.h"

namespace weir {

class BusThread {
 public:
  ~BusThread() { assert(!thread_.joinable()); }

  asio::io_context& io() { return io_; }
  bool is_running() const { return thread_.joinable(); }

  void start() {
    assert(!thread_.joinable());
    thread_ = start_thread("weir-bus", [this] { io_.run(); });
  }

  // Runs `last` on the bus thread, after everything posted before, and ends the thread. Without a running bus
  // thread, `last` runs on the calling one.
  template <typename Last>
  void stop(Last last) {
    if (!thread_.joinable()) return last();
    asio::post(io_, [this, last = std::move(last)] {
      last();
      io_.stop();
    });
    thread_.join();
  }

 private:
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(io_);
  std::thread thread_;
};

}  // namespace weir
