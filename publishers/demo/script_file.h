// A script: messages with their times, as JSON Lines.
#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>
#include <vector>

#include "proto/result.h"
#include "publishers/demo/script.h"

namespace weir {

inline constexpr std::size_t kScriptBytesMax = 8 << 20;
inline constexpr std::size_t kScriptStepsMax = 100'000;
// The latest time of a message, counted from the start: 30 days.
inline constexpr std::chrono::milliseconds kScriptTimeMax{30LL * 86'400'000};

// Reads one message from each line that is not blank:
//
//   {"message":{"msg":"aaa"}}                   with the message before it, or at the start
//   {"delay_ms":1500,"message":{"msg":"bbb"}}   1.5 s after it
//   {"at_ms":5000,"message":"ccc"}              5 s after the start
//
// A message is any JSON value, and its payload is what is written there, byte for byte. The error is one
// phrase that begins with the number of the line. Pure.
Result<std::vector<Step>> parse_script(std::string_view text);

}  // namespace weir
