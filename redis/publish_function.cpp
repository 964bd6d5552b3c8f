#include "redis/publish_function.h"

#include <charconv>

namespace weir {

std::uint64_t publish_function_version(std::string_view description) {
  constexpr std::string_view kBefore = "weir ";
  if (!description.starts_with(kBefore)) return 0;
  description.remove_prefix(kBefore.size());
  std::uint64_t version = 0;
  const char* const end = description.data() + description.size();
  const auto parsed = std::from_chars(description.data(), end, version);
  return parsed.ec == std::errc() && parsed.ptr == end ? version : 0;
}

std::string durable_stream_key(std::string_view name) {
  return std::string("weir:{").append(name).append("}");
}

PublishCall publish_call(std::string_view name, std::uint64_t messages_max, std::uint64_t seconds_max,
                         std::string_view idempotency_key) {
  PublishCall call{{"FCALL", std::string(kPublishFunctionName), "1", durable_stream_key(name)}, {}};
  const bool is_keyed = !idempotency_key.empty();
  if (is_keyed || messages_max != kPublishMessages || seconds_max != kPublishSeconds) {
    call.behind = {std::to_string(messages_max), std::to_string(seconds_max)};
  }
  if (is_keyed) call.behind.insert(call.behind.end(), {std::string(idempotency_key), "verbose"});
  return call;
}

bool is_function_missing(std::string_view error) { return error.starts_with("ERR Function not found"); }

}  // namespace weir
