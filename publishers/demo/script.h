// The messages of the demo, and their times.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

// A message and its time, counted from the start.
struct Step {
  std::chrono::microseconds at;
  std::string payload;
};

// The same messages, `speed` times as fast. Requires a speed of more than 0.
std::vector<Step> at_speed(std::vector<Step> script, double speed);

// {"msg":"aaa"} at once, bbb after 2 s, ccc after 5 s.
std::vector<Step> demo_script();

// `text` word by word, as a chat answer arrives. Each word keeps the white space after it, the
// first also the white space before it, so that the pieces together are the text, byte for byte.
// Text without white space (other scripts, long words) is cut at `kWordBytesMax`, never inside a
// UTF-8 character. Requires valid UTF-8.
inline constexpr std::size_t kWordBytesMax = 64;
std::vector<std::string> split_words(std::string_view text);

// {"msg":"word "} for each piece of `text`, evenly spaced. Bytes that are not UTF-8 are replaced by U+FFFD.
std::vector<Step> words_script(std::string text, unsigned words_per_second);

}  // namespace weir
