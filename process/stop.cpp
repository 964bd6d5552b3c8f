#include "process/stop.h"

#include <pthread.h>
#include <signal.h>

#include <condition_variable>
#include <mutex>
#include <system_error>

#include "process/thread.h"

namespace weir {
namespace {

// Those that end the process when they come a second time.
sigset_t end_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

sigset_t stop_signals() {
  sigset_t signals = end_signals();
  struct sigaction hangup {};
  sigaction(SIGHUP, nullptr, &hangup);
  // One that is blocked is kept for us though it is ignored.
  if (hangup.sa_handler != SIG_IGN) sigaddset(&signals, SIGHUP);
  return signals;
}

}  // namespace

SignalStop::SignalStop() {
  const sigset_t signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  thread_ = start_thread("weir-signals", [this] { wait_for_signals(); });
}

SignalStop::~SignalStop() {
  is_over_ = true;
  is_over_.notify_all();
  // If a signal came the thread is past its wait, and this one must not reach its default action.
  if (signal_ == 0) pthread_kill(thread_.native_handle(), SIGTERM);
  source_.request_stop();
  thread_.join();
}

void SignalStop::wait_for_signals() {
  const sigset_t signals = stop_signals();
  int signal = 0;
  sigwait(&signals, &signal);
  if (is_over_) return;
  signal_ = signal;
  // From here on a second signal finds this thread, and its default action.
  const sigset_t ends = end_signals();
  pthread_sigmask(SIG_UNBLOCK, &ends, nullptr);
  source_.request_stop();
  is_over_.wait(false);
}

bool wait_until(std::chrono::steady_clock::time_point when, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_until(lock, stop, when, [] { return false; });
  return !stop.stop_requested();
}

Grace::Grace(std::chrono::milliseconds time) {
  try {
    timer_ = std::jthread([this, time](const std::stop_token& over) {
      if (wait_until(std::chrono::steady_clock::now() + time, over)) source_.request_stop();
    });
  } catch (const std::system_error&) {
    source_.request_stop();
  }
}

}  // namespace weir
