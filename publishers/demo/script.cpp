#include "publishers/demo/script.h"

#include <algorithm>

#include "proto/envelope.h"

namespace weir {
namespace {

constexpr std::string_view kWhiteSpace = " \t\r\n";

bool is_inside_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

std::string message(std::string_view text) { return "{\"msg\":" + json_string(text) + "}"; }

// The size of the word at the front of `text`, with the white space after it; before the first word, too.
std::size_t piece_size(std::string_view text, bool is_first) {
  const auto start = is_first ? std::min(text.find_first_not_of(kWhiteSpace), text.size()) : 0;
  auto end = std::min(text.find_first_of(kWhiteSpace, start), text.size());
  if (end - start > kWordBytesMax) {
    end = start + kWordBytesMax;
    while (is_inside_character(text[end])) --end;
    return end;
  }
  return std::min(text.find_first_not_of(kWhiteSpace, end), text.size());
}

}  // namespace

std::vector<Step> at_speed(std::vector<Step> script, double speed) {
  using Micros = std::chrono::duration<double, std::micro>;
  for (auto& step : script)
    step.at = std::chrono::duration_cast<std::chrono::microseconds>(Micros(step.at) / speed);
  return script;
}

std::vector<Step> demo_script() {
  using std::chrono::seconds;
  return {{seconds(0), message("aaa")}, {seconds(2), message("bbb")}, {seconds(5), message("ccc")}};
}

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const auto size = piece_size(text, words.empty());
    words.emplace_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return words;
}

std::vector<Step> words_script(std::string text, unsigned words_per_second) {
  replace_invalid_utf8(text);
  std::vector<Step> steps;
  for (const auto& word : split_words(text)) {
    steps.push_back({std::chrono::milliseconds(steps.size() * 1'000 / words_per_second), message(word)});
  }
  return steps;
}

}  // namespace weir
