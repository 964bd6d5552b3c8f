#include "publishers/program/program_log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <ctime>
#include <memory>
#include <utility>

#include "process/readable.h"
#include "proto/envelope.h"
#include "proto/redact.h"

namespace weir {
namespace {

class ShownMessage : public spdlog::custom_flag_formatter {
 public:
  explicit ShownMessage(LogFormat format) : format_(format) {}
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    const std::string shown = redacted({message.payload.data(), message.payload.size()});
    const std::string text = format_ == LogFormat::kJson ? json_string(shown) : one_line(shown);
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<spdlog::custom_flag_formatter> clone() const override {
    return std::make_unique<ShownMessage>(format_);
  }

 private:
  const LogFormat format_;
};

}  // namespace

void start_program_log(const std::string& program, LogLevel level, LogFormat format) {
  auto logger = std::make_shared<spdlog::logger>(program, std::make_shared<spdlog::sinks::stderr_sink_mt>());
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  formatter->add_flag<ShownMessage>('*', format);
  formatter->set_pattern(format == LogFormat::kJson
                             ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","program":"%n","msg":%*})"
                             : "%n: %l: %*");
  logger->set_formatter(std::move(formatter));
  logger->set_level(spdlog::level::from_str(log_level_name(level)));
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace weir
