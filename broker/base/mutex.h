// std::mutex with clang's annotations, so that -Wthread-safety checks that what is GUARDED_BY a mutex is only
// touched under it. (libstdc++'s own types carry none: a std::mutex in broker/ would be checked by nobody.)
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
  // Gives `mutex` up while it waits. May return for no reason: ask in a loop for what is waited for.
  void wait(Mutex& mutex) REQUIRES(mutex) {
    std::unique_lock lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();  // Still locked: it is the caller's again.
  }
  // The same, until `deadline` at the latest: then it returns false.
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
