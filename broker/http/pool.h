// The HTTP pool: a few threads that run requests through the library. No job waits for a socket
// or for the bus.
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "broker/base/mutex.h"

namespace weir {

// Threads: call every function on any thread but the pool's own. Its threads have the usual 8 MB of stack,
//          which the library's std::regex may need.
// Limits:  jobs_max jobs that wait or run.
class Pool {
 public:
  using Job = std::function<void()>;  // Must not throw.

  Pool(std::size_t threads, std::size_t jobs_max);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Runs `job` on one of the threads. Returns false, and does nothing, after stop() or if
  // jobs_max jobs wait or run.
  bool submit(Job job);
  // Waits until all submitted jobs have run, then ends the threads.
  void stop();
  std::size_t jobs() const { return jobs_.load(std::memory_order_relaxed); }

 private:
  void work();
  // Waits for jobs and takes some. Returns false if there are none and none will come.
  bool take(std::vector<Job>& batch);

  const std::size_t jobs_max_;
  std::atomic<std::size_t> jobs_{0};  // Waiting or running.
  Mutex mutex_;
  Condition is_needed_;
  std::size_t idle_ GUARDED_BY(mutex_) = 0;   // Threads that wait and have not been called.
  std::size_t calls_ GUARDED_BY(mutex_) = 0;  // Threads that were called and have not woken yet.
  std::deque<Job> waiting_ GUARDED_BY(mutex_);
  bool is_stopped_ GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace weir
