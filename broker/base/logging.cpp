#include "broker/base/logging.h"

#include <spdlog/details/null_mutex.h>
#include <spdlog/formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <memory>
#include <string>

#include "broker/base/log_writer.h"
#include "proto/envelope.h"
#include "proto/redact.h"

namespace weir {
namespace {

constexpr std::size_t kWaitingBytesMax = 1 << 20;

std::atomic<bool> is_json_format{false};
std::atomic<LogWriter*> writer{nullptr};  // Never destroyed: threads may still log while the process ends.

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      return spdlog::level::off;
  }
  return spdlog::level::info;
}

LogLevel level_of(spdlog::level::level_enum level) {
  for (const LogLevel each : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError}) {
    if (level == spdlog_level(each)) return each;
  }
  return LogLevel::kOff;
}

// "2026-05-01T12:34:56.789Z"
std::string utc(spdlog::log_clock::time_point time) {
  const auto milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count() % 1'000;
  const std::time_t seconds = spdlog::log_clock::to_time_t(time);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[64];
  const auto length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text + length, sizeof text - length, ".%03dZ", static_cast<int>(milliseconds));
  return text;
}

std::string without_controls(std::string text) {
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) c = '?';
  }
  return text;
}

bool is_one_word(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c > ' ' && c < 0x7f && c != '"' && c != '='; });
}

std::string json_of(const LogField& field) {
  if (const auto* text = std::get_if<std::string_view>(&field.value)) {
    std::string valid = redacted(*text);
    replace_invalid_utf8(valid);
    return json_string(valid);
  }
  if (const auto* number = std::get_if<std::uint64_t>(&field.value)) return std::to_string(*number);
  char digits[64];
  std::snprintf(digits, sizeof digits, "%.3f", std::get<double>(field.value));
  return digits;
}

// The message and the fields of a line, which follow time and level.
std::string payload_of(std::string_view message, std::initializer_list<LogField> fields) {
  std::string text = redacted(message);
  replace_invalid_utf8(text);
  if (is_json_format) {
    std::string payload = "\"msg\":" + json_string(text);
    for (const LogField& field : fields)
      payload.append(",\"").append(field.name).append("\":").append(json_of(field));
    return payload;
  }
  std::string payload = without_controls(std::move(text));
  for (const LogField& field : fields) {
    const auto* word = std::get_if<std::string_view>(&field.value);
    const bool is_plain = word != nullptr && !word->empty() && is_one_word(*word);
    payload.append(" ").append(field.name).append("=").append(is_plain ? redacted(*word) : json_of(field));
  }
  return payload;
}

std::string line_of(spdlog::log_clock::time_point time, LogLevel level, std::string_view payload) {
  std::string line = is_json_format
                         ? "{\"time\":\"" + utc(time) + "\",\"level\":\"" + log_level_name(level) + "\","
                         : utc(time) + " " + log_level_name(level) + " ";
  return line.append(payload).append(is_json_format ? "}\n" : "\n");
}

class LineFormatter : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const std::string line =
        line_of(message.time, level_of(message.level), {message.payload.data(), message.payload.size()});
    out.append(line.data(), line.data() + line.size());
  }

  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<LineFormatter>(); }
};

// Needs no lock: the formatter has no state, and the writer locks for itself.
class WriterSink : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit WriterSink(LogWriter& to) : writer_(to) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    writer_.write({line.data(), line.size()});
  }
  void flush_() override {}

 private:
  LogWriter& writer_;
};

// Made at the first use and never destroyed: threads may still log while the process ends.
spdlog::logger& logger() {
  static auto* const kInstance = [] {
    auto* const made = new std::shared_ptr<spdlog::logger>(
        std::make_shared<spdlog::logger>("weir", std::make_shared<spdlog::sinks::stderr_sink_mt>()));
    (*made)->set_formatter(std::make_unique<LineFormatter>());
    return made;
  }();
  return **kInstance;
}

void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {}) {
  if (!is_logged(level)) return;
  const std::string payload = payload_of(message, fields);
  logger().log(spdlog_level(level), spdlog::string_view_t(payload.data(), payload.size()));
}

}  // namespace

void start_logging(LogLevel level, LogFormat format) {
  is_json_format = format == LogFormat::kJson;
  set_log_level(level);
}

void start_log_writer() {
  assert(writer == nullptr);
  const auto say_lost = [](std::uint64_t lines) {
    return line_of(spdlog::log_clock::now(), LogLevel::kWarning,
                   payload_of("lines of the log are lost: nobody read them", {{"lines", lines}}));
  };
  writer = new LogWriter(STDERR_FILENO, kWaitingBytesMax, say_lost);
  const auto sink = std::make_shared<WriterSink>(*writer);
  sink->set_formatter(std::make_unique<LineFormatter>());
  logger().sinks() = {sink};
}

void flush_log(std::chrono::milliseconds most) {
  if (LogWriter* const started = writer) started->flush(most);
}

std::uint64_t lost_log_lines() {
  const LogWriter* const started = writer;
  return started != nullptr ? started->lost() : 0;
}

void set_log_level(LogLevel level) { logger().set_level(spdlog_level(level)); }
LogLevel log_level() { return level_of(logger().level()); }
bool is_logged(LogLevel level) { return level != LogLevel::kOff && logger().should_log(spdlog_level(level)); }

void log_debug(std::string_view message) { log(LogLevel::kDebug, message); }
void log_info(std::string_view message, std::initializer_list<LogField> fields) {
  log(LogLevel::kInfo, message, fields);
}
void log_warning(std::string_view message) { log(LogLevel::kWarning, message); }
void log_error(std::string_view message) { log(LogLevel::kError, message); }

}  // namespace weir
