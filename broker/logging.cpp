#include "broker/logging.h"

#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cassert>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <memory>
#include <string>

#include "proto/envelope.h"

namespace weir {
namespace {

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

const char* level_name(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::debug:
      return "debug";
    case spdlog::level::info:
      return "info";
    case spdlog::level::warn:
      return "warning";
    default:
      return "error";
  }
}

std::string without_controls(std::string text) {
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) c = '?';
  }
  return text;
}

class LineFormatter : public spdlog::formatter {
 public:
  explicit LineFormatter(bool is_json) : is_json_(is_json) {}

  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    std::string text(message.payload.data(), message.payload.size());
    replace_invalid_utf8(text);
    const auto time = utc(message.time);
    const std::string level = level_name(message.level);
    const auto line = is_json_ ? "{\"time\":\"" + time + "\",\"level\":\"" + level +
                                     "\",\"msg\":" + json_string(text) + "}\n"
                               : time + " " + level + " " + without_controls(std::move(text)) + "\n";
    out.append(line.data(), line.data() + line.size());
  }

  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<LineFormatter>(is_json_);
  }

 private:
  const bool is_json_;
};

// Made at the first use and never destroyed: threads may still log while the process ends.
spdlog::logger& logger() {
  static auto* const kInstance = [] {
    auto* const made = new std::shared_ptr<spdlog::logger>(
        std::make_shared<spdlog::logger>("weir", std::make_shared<spdlog::sinks::stderr_sink_mt>()));
    (*made)->set_formatter(std::make_unique<LineFormatter>(false));
    return made;
  }();
  return **kInstance;
}

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

void log(LogLevel level, std::string_view message) {
  logger().log(spdlog_level(level), spdlog::string_view_t(message.data(), message.size()));
}

}  // namespace

std::optional<LogLevel> parse_log_level(std::string_view name) {
  if (name == "debug") return LogLevel::kDebug;
  if (name == "info") return LogLevel::kInfo;
  if (name == "warning") return LogLevel::kWarning;
  if (name == "error") return LogLevel::kError;
  if (name == "off") return LogLevel::kOff;
  return std::nullopt;
}

void start_logging(std::string_view level, std::string_view format) {
  const auto parsed = parse_log_level(level);
  assert(parsed && (format == "text" || format == "json"));
  logger().set_formatter(std::make_unique<LineFormatter>(format == "json"));
  set_log_level(*parsed);
}

void set_log_level(LogLevel level) { logger().set_level(spdlog_level(level)); }
bool is_logged(LogLevel level) { return level != LogLevel::kOff && logger().should_log(spdlog_level(level)); }

void log_debug(std::string_view message) { log(LogLevel::kDebug, message); }
void log_info(std::string_view message) { log(LogLevel::kInfo, message); }
void log_warning(std::string_view message) { log(LogLevel::kWarning, message); }
void log_error(std::string_view message) { log(LogLevel::kError, message); }

}  // namespace weir
