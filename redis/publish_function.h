// weir_publish, the Redis Function that publishes to durable channels: its text (redis/weir.lua), and how it is
// called.
//
// Threads: any; pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

// redis/weir.lua, for FUNCTION LOAD.
extern const std::string_view kPublishFunction;
extern const std::uint64_t kPublishFunctionVersion;

inline constexpr std::string_view kPublishLibraryName = "weir";
inline constexpr std::string_view kPublishFunctionName = "weir_publish";
// The function refuses larger payloads.
inline constexpr std::size_t kPublishPayloadBytesMax = 4 << 20;

// The version that a function's description in FUNCTION LIST tells ("weir 1"); 0 if it tells none.
std::uint64_t publish_function_version(std::string_view description);

// The key of a durable channel's stream, which is also the name under which entries are announced: "weir:{N}". `name`
// is the prefix and the channel.
std::string durable_stream_key(std::string_view name);

// What the function takes where a call does not say it.
inline constexpr std::uint64_t kPublishMessages = 1'000;
inline constexpr std::uint64_t kPublishSeconds = 7 * 24 * 60 * 60;

// The words of an FCALL, in front of the payload and behind it: a large payload need not be copied. The stream's own
// key is declared, as a cluster needs it. What is the function's default is left out, since Redis takes longer for each
// word. The reply is the id; with an idempotency key an array of the id, and 1 if the key had been used, else 0.
struct PublishCall {
  std::vector<std::string> before;
  std::vector<std::string> behind;
};
PublishCall publish_call(std::string_view name, std::uint64_t messages_max, std::uint64_t seconds_max,
                         std::string_view idempotency_key);

// True if `error` says that Redis has not the function.
bool is_function_missing(std::string_view error);

}  // namespace weir
