// std::mutex with clang's annotations, so that -Wthread-safety checks that what is GUARDED_BY a mutex is only
// touched under it. (libstdc++'s own types carry none.)
#pragma once

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

}  // namespace weir
