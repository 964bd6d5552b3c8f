// Threads that a program can't do without.
#pragma once

#include <pthread.h>

#include <system_error>
#include <thread>
#include <utility>

namespace weir {

// Says in one line that the thread can't be started, and ends the process with exit code 2, like an unusable
// setting: the limit on processes and threads is too low for this program.
[[noreturn]] void end_for_want_of_thread(const char* name, const std::error_code& error);

// Calls `start`, which makes a library start threads, and returns its result.
template <typename Start>
auto start_or_end(const char* name, Start start) {
  try {
    return start();
  } catch (const std::system_error& error) {
    end_for_want_of_thread(name, error.code());
  }
}

// Starts a thread that runs `run`. `name` appears in the system's tools: at most 15 characters.
template <typename Run>
std::thread start_thread(const char* name, Run run) {
  std::thread thread = start_or_end(name, [&] { return std::thread(std::move(run)); });
  ::pthread_setname_np(thread.native_handle(), name);
  return thread;
}

}  // namespace weir
