// std::mutex with clang's annotations: -Wthread-safety then checks that data GUARDED_BY a mutex is touched
// only under it. libstdc++'s own types carry none, so a plain std::mutex would go unchecked.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define WEIR_ANNOTATION(x) __attribute__((x))
#else
#define WEIR_ANNOTATION(x)
#endif
#define GUARDED_BY(mutex) WEIR_ANNOTATION(guarded_by(mutex))
#define REQUIRES(...) WEIR_ANNOTATION(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) WEIR_ANNOTATION(locks_excluded(__VA_ARGS__))

namespace weir {

class WEIR_ANNOTATION(capability("mutex")) Mutex {
 public:
  void lock() WEIR_ANNOTATION(acquire_capability()) { mutex_.lock(); }
  void unlock() WEIR_ANNOTATION(release_capability()) { mutex_.unlock(); }

 private:
  friend class Condition;
  std::mutex mutex_;
};

class WEIR_ANNOTATION(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) WEIR_ANNOTATION(acquire_capability(mutex)) : mutex_(mutex) {
    mutex_.lock();
  }
  ~MutexLock() WEIR_ANNOTATION(release_capability()) { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// std::condition_variable for a Mutex.
class Condition {
 public:
  // Releases `mutex` while it waits. It may wake for no reason, so check the condition in a loop.
  void wait(Mutex& mutex) REQUIRES(mutex) {
    std::unique_lock lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    // Still locked, for the caller.
    lock.release();
  }
  // The same, but no later than `deadline`: then it returns false.
  bool wait_until(Mutex& mutex, std::chrono::steady_clock::time_point deadline) REQUIRES(mutex) {
    std::unique_lock lock(mutex.mutex_, std::adopt_lock);
    const bool is_early = condition_.wait_until(lock, deadline) == std::cv_status::no_timeout;
    lock.release();
    return is_early;
  }
  void notify_one() { condition_.notify_one(); }
  void notify_all() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace weir
