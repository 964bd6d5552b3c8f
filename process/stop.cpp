#include "process/stop.h"

#include <pthread.h>
#include <signal.h>

#include <condition_variable>
#include <mutex>
#include <system_error>

#include "process/thread.h"

namespace weir {
namespace {

// The signals that end the process at the second one.
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
  // The kernel queues a blocked signal even if it is ignored, so leave SIGHUP unblocked
  // where nohup ignores it.
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
  // Wake the thread if it still waits. Past its wait, this signal would take its default action.
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
  // From here on a second signal reaches this thread and takes its default action.
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
