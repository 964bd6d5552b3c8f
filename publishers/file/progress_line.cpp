#include "publishers/file/progress_line.h"

#include <spdlog/sinks/sink.h>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

namespace weir {
namespace {

constexpr std::chrono::milliseconds kPause{200};
constexpr std::size_t kColumnsDefault = 80;

bool is_terminal() {
  const char* kind = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) == 1 && kind != nullptr && std::string_view(kind) != "dumb";
}

// A character in the last column would move some terminals to the next line.
std::size_t usable_columns() {
  winsize size{};
  const bool is_known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return (is_known ? size.ws_col : kColumnsDefault) - 1;
}

void write_to_terminal(const std::string& text) {
  [[maybe_unused]] const auto n = ::write(STDERR_FILENO, text.data(), text.size());
}

// The first sink of the logger: it makes room before the others write.
class MakesRoom : public spdlog::sinks::sink {
 public:
  explicit MakesRoom(ProgressLine& line) : line_(line) {}
  void log(const spdlog::details::log_msg&) override { line_.clear(); }
  void flush() override {}
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

 private:
  ProgressLine& line_;
};

}  // namespace

ProgressLine::ProgressLine() : is_shown_(is_terminal()) {
  if (!is_shown_) return;
  logger_ = spdlog::default_logger();
  auto logger = logger_->clone(logger_->name());
  logger->sinks().insert(logger->sinks().begin(), std::make_shared<MakesRoom>(*this));
  spdlog::set_default_logger(std::move(logger));
}

ProgressLine::~ProgressLine() {
  if (!is_shown_) return;
  spdlog::set_default_logger(logger_);
  clear();
}

void ProgressLine::show(std::uint64_t done, std::uint64_t total) {
  if (!is_shown_) return;
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  if (now < next_ && done > 0 && done < total) return;
  next_ = now + kPause;
  const Progress progress{.done = done, .total = total, .bytes_per_second = meter_.add(done, now)};
  const std::string text = progress_text(progress, usable_columns());
  const std::size_t left_over = columns_used_ > text.size() ? columns_used_ - text.size() : 0;
  write_to_terminal("\r" + text + std::string(left_over, ' '));
  columns_used_ = text.size() + left_over;
}

void ProgressLine::clear() {
  if (!is_shown_) return;
  const std::lock_guard lock(mutex_);
  if (columns_used_ > 0) write_to_terminal("\r" + std::string(columns_used_, ' ') + "\r");
  columns_used_ = 0;
}

}  // namespace weir
