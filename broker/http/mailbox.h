// Brings calls from other threads to the front loop.
#pragma once

#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "broker/base/mutex.h"

namespace weir {

// Wakes the loop once for many calls in quick succession.
//
// Ownership: shared by the front and by its later callers. A reply may come after the front and the loop have
//            ended; its call is then dropped.
// Limits:    none of its own: each call belongs to a request, and those are bounded.
class Mailbox : public std::enable_shared_from_this<Mailbox> {
 public:
  explicit Mailbox(asio::io_context& loop) : loop_(&loop) {}

  // Runs `call` on the loop, in the order of the posts; drops it after close(). Any thread;
  // never blocks for long.
  void post(std::function<void()> call) {
    const MutexLock lock(mutex_);
    if (loop_ == nullptr) return;
    calls_.push_back(std::move(call));
    if (calls_.size() > 1) return;  // The loop will run it, too.
    asio::post(*loop_, [self = shared_from_this()] { self->run(); });
  }

  // Drops all calls: none runs after it returns. Call it on the front loop, or after that has ended.
  void close() {
    const MutexLock lock(mutex_);
    loop_ = nullptr;
    calls_.clear();
  }

 private:
  void run() {
    std::vector<std::function<void()>> calls;
    {
      const MutexLock lock(mutex_);
      calls.swap(calls_);
    }
    for (const auto& call : calls) call();
  }

  Mutex mutex_;
  asio::io_context* loop_ GUARDED_BY(mutex_);  // nullptr once closed.
  std::vector<std::function<void()>> calls_ GUARDED_BY(mutex_);
};

}  // namespace weir
