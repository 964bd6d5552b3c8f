#include "broker/http/pool.h"

#include <utility>

namespace weir {

Pool::Pool(std::size_t threads, std::size_t jobs_max) : jobs_max_(jobs_max) {
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

Pool::~Pool() { stop(); }

bool Pool::submit(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (is_stopped_ || jobs_.load(std::memory_order_relaxed) >= jobs_max_) return false;
    jobs_.fetch_add(1, std::memory_order_relaxed);
    waiting_.push_back(std::move(job));
  }
  is_needed_.notify_one();
  return true;
}

void Pool::stop() {
  {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
  }
  is_needed_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void Pool::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    is_needed_.wait(lock, [this] { return !waiting_.empty() || is_stopped_; });
    if (waiting_.empty()) return;
    {
      const Job job = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      job();
    }
    jobs_.fetch_sub(1, std::memory_order_relaxed);
    lock.lock();
  }
}

}  // namespace weir
