// Lets a test that runs as root see what others see.
#pragma once

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <functional>

namespace weir {

// While it lives, the process is nobody as far as files are concerned, if it was root. All threads are.
class Unprivileged {
 public:
  Unprivileged() { become(kNobody); }
  ~Unprivileged() { become(0); }
  Unprivileged(const Unprivileged&) = delete;
  Unprivileged& operator=(const Unprivileged&) = delete;

  // Does `work` as who the process was before. The other threads stay as they are.
  void pause(const std::function<void()>& work) const {
    become_in_thread(0);
    work();
    become_in_thread(kNobody);
  }

 private:
  static constexpr uid_t kNobody = 65'534;

  void become(uid_t user) const {
    if (was_root_ && ::seteuid(user) != 0) ADD_FAILURE() << "can't become user " << user;
  }

  // The system call changes its thread alone; seteuid() makes it in all of them.
  void become_in_thread(uid_t user) const {
    if (was_root_ && ::syscall(SYS_setresuid, -1, user, -1) != 0)
      ADD_FAILURE() << "can't become user " << user;
  }

  const bool was_root_ = ::geteuid() == 0;
};

}  // namespace weir
