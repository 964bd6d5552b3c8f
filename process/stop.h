// SIGINT, SIGTERM and SIGHUP as a std::stop_token.
#pragma once

#include <atomic>
#include <chrono>
#include <stop_token>
#include <thread>

namespace weir {

// Blocks these signals in the calling thread and in every thread it starts later; a thread of its own
// waits for them. The first signal requests the stop. A second SIGINT or SIGTERM ends the process the
// usual way, so a stop that hangs locks nobody in. A second SIGHUP does nothing: a closing terminal also
// sends it through the shell. A SIGHUP that is ignored from the start (nohup) stays ignored. Make one
// object, before any other thread.
class SignalStop {
 public:
  SignalStop();
  ~SignalStop();
  SignalStop(const SignalStop&) = delete;
  SignalStop& operator=(const SignalStop&) = delete;

  std::stop_token token() const { return source_.get_token(); }
  // The signal that came; 0 for none.
  int signal() const { return signal_; }

 private:
  void wait_for_signals();

  std::stop_source source_;
  std::atomic<int> signal_{0};
  std::atomic<bool> is_over_{false};
  std::thread thread_;
};

// Waits until `when`. False if a stop was requested first.
bool wait_until(std::chrono::steady_clock::time_point when, const std::stop_token& stop);

// Requests a stop after a time: the limit for the last messages of a stopped program. Requests it at once if
// the timer's thread can't be started.
class Grace {
 public:
  explicit Grace(std::chrono::milliseconds time);
  std::stop_token token() const { return source_.get_token(); }

 private:
  std::stop_source source_;
  std::jthread timer_;
};

}  // namespace weir
