#include "broker/base/log_writer.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "process/thread.h"

namespace weir {
namespace {

// Waits for as long as it takes. If the descriptor fails, nobody reads it.
void write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
      // Some other process that shares the descriptor has made it non-blocking.
    } else if (errno == EAGAIN) {
      pollfd room{descriptor, POLLOUT, 0};
      ::poll(&room, 1, -1);
    } else if (errno != EINTR) {
      return;
    }
  }
}

}  // namespace

LogWriter::LogWriter(int descriptor, std::size_t waiting_bytes_max, SayLost say_lost)
    : descriptor_(descriptor),
      waiting_bytes_max_(waiting_bytes_max),
      say_lost_(std::move(say_lost)),
      thread_(start_thread("weir-log", [this] { run(); })) {}

LogWriter::~LogWriter() {
  {
    const MutexLock lock(mutex_);
    is_ending_ = true;
  }
  has_work_.notify_one();
  thread_.join();
}

void LogWriter::write(std::string_view line) {
  {
    const MutexLock lock(mutex_);
    // After a lost line, its notice comes before any other line.
    if (lost_ > told_lost_ || waiting_.size() + line.size() > waiting_bytes_max_) {
      ++lost_;
    } else {
      waiting_ += line;
    }
  }
  has_work_.notify_one();
}

bool LogWriter::flush(std::chrono::milliseconds most) {
  const auto deadline = std::chrono::steady_clock::now() + most;
  const MutexLock lock(mutex_);
  while (has_work() || is_writing_) {
    if (!is_idle_.wait_until(mutex_, deadline)) return !has_work() && !is_writing_;
  }
  return true;
}

std::uint64_t LogWriter::lost() const {
  const MutexLock lock(mutex_);
  return lost_;
}

void LogWriter::run() {
  std::string writing;
  std::uint64_t lost = 0;
  while (take(writing, lost)) {
    if (lost > 0) writing += say_lost_(lost);
    write_all(descriptor_, writing);
    writing.clear();
  }
}

// Waits for lines; false at the end.
bool LogWriter::take(std::string& lines, std::uint64_t& lost) {
  const MutexLock lock(mutex_);
  is_writing_ = false;
  if (!has_work()) is_idle_.notify_all();
  while (!has_work() && !is_ending_) has_work_.wait(mutex_);
  if (!has_work()) return false;
  is_writing_ = true;
  lines.swap(waiting_);
  lost = lost_ - std::exchange(told_lost_, lost_);
  return true;
}

}  // namespace weir
