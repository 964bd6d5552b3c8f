// Reads the settings from a command line, an environment and a TOML file. Claims that the result is a
// configuration within its ranges, or one line that says what is wrong.
#include <sys/mman.h>
#include <unistd.h>

#include <cassert>
#include <cstdlib>
#include <string>
#include <vector>

#include "broker/config.h"
#include "fuzz_input.h"
#include "proto/channel_name.h"
#include "proto/utf8.h"

namespace weir {
namespace {

// Returns the path of a file that only this process uses.
class TomlText {
 public:
  TomlText() : descriptor_(memfd_create("weir.toml", 0)) {
    if (descriptor_ < 0) std::abort();
  }
  std::string write(std::string_view text) const {
    if (ftruncate(descriptor_, 0) != 0) std::abort();
    if (pwrite(descriptor_, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) std::abort();
    return "/proc/self/fd/" + std::to_string(descriptor_);
  }

 private:
  const int descriptor_;
};

// Leaves out words like "--config …", so that the fuzzer reads no other file.
struct Words {
  std::vector<std::string> arguments{"weir-broker"};
  std::vector<std::string> environment;
};

Words take_words(std::string_view lines) {
  Words words;
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    std::string line(lines.substr(0, end));
    lines.remove_prefix(std::min(end + 1, lines.size()));
    if (line.starts_with("--config") || line.starts_with("WEIR_CONFIG")) continue;
    (line.starts_with("WEIR_") ? words.environment : words.arguments).push_back(std::move(line));
  }
  return words;
}

std::vector<const char*> pointers(const std::vector<std::string>& texts) {
  std::vector<const char*> result;
  for (const std::string& text : texts) result.push_back(text.c_str());
  result.push_back(nullptr);
  return result;
}

void check_channel(const ChannelSettings& channel) {
  assert(channel.history_messages <= 1'000'000 && channel.history_bytes <= 1u << 30);
  assert(channel.queue_messages >= 1 && channel.queue_bytes >= 1 && channel.history_seconds.count() >= 1);
}

void check_config(const Config& config) {
  const auto listen = parse_listen_address(config.listen);
  assert(listen && parse_listen_address(config.admin_listen));
  // Off loopback, a setting must say who may come in.
  const bool is_open =
      !has_keys(config) && config.anonymous_subscribe.empty() && config.anonymous_publish.empty();
  assert(config.healthcheck || !is_open || listen->is_loopback());
  check_channel(config.channel);
  for (const ChannelRule& rule : config.channel_rules) check_channel(rule.settings);
  assert(config.max_message_bytes >= 1 && config.max_message_bytes <= 512u << 20);
  assert(config.head_bytes >= 1'024 && config.head_bytes <= 1u << 20);
  assert(config.http_threads >= 1 && config.http_threads <= 256 && config.shards <= 256);
  assert(config.redis_prefix.find_first_of(" \r\n") == std::string::npos);
  for (const std::string& origin : config.cors_origin)
    assert(origin.find_first_of("\r\n ,") == std::string::npos);
}

}  // namespace
}  // namespace weir

// The input has a line for each argument and WEIR_ variable, then a NUL, then the file.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const weir::TomlText file;
  weir::FuzzInput input(data, size);
  weir::Words words = weir::take_words(input.until('\0'));
  if (!input.is_empty()) words.environment.push_back("WEIR_CONFIG=" + file.write(input.rest()));
  const auto arguments = weir::pointers(words.arguments);
  const auto environment = weir::pointers(words.environment);
  const auto line =
      weir::read_settings(static_cast<int>(words.arguments.size()), arguments.data(), environment.data());
  if (!line) {
    const std::string& message = line.error().message;
    assert(!message.empty() && message.find_first_of("\r\n") == std::string::npos);
  } else if (!line->text) {
    weir::check_config(line->config);
    for (const std::string& warning : line->warnings)
      assert(warning.find_first_of("\r\n") == std::string::npos);
  }
  return 0;
}
