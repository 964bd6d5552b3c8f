// Turns the bytes of a log or a file into messages, as the publishers do. Claims that no byte is lost and
// that every message is valid JSON.
#include <cassert>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fuzz_input.h"
#include "proto/utf8.h"
#include "publishers/demo/script.h"
#include "publishers/file/file_messages.h"
#include "publishers/log/line_splitter.h"

namespace weir {
namespace {

using Json = nlohmann::json;

std::vector<Line> split(std::string_view text, std::size_t line_bytes_max, std::size_t step) {
  LineSplitter splitter(line_bytes_max);
  std::vector<Line> lines;
  for (; !text.empty(); text.remove_prefix(std::min(step, text.size()))) {
    splitter.add(text.substr(0, step), lines);
    assert(splitter.has_partial_line() || text[std::min(step, text.size()) - 1] == '\n');
  }
  splitter.finish(lines);
  assert(!splitter.has_partial_line());
  return lines;
}

// Removes the line ends, LF or CRLF. A CR at the very end belongs to the last line.
std::string without_line_ends(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_cr_of_end = text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n';
    if (text[i] != '\n' && !is_cr_of_end) result += text[i];
  }
  return result;
}

void check_lines(std::string_view text, std::size_t line_bytes_max, std::size_t step) {
  const std::vector<Line> lines = split(text, line_bytes_max, step);
  assert(lines == split(text, line_bytes_max, text.size() + 1));  // However the log grew.
  std::string joined;
  for (const Line& line : lines) {
    assert(line.text.size() <= line_bytes_max && line.text.find('\n') == std::string::npos);
    assert(!line.continues || !line.text.empty());
    joined += line.text;
    const Json message = Json::parse(encode_line(line));
    std::string repaired = line.text;
    replace_invalid_utf8(repaired);
    assert(message.at("msg") == repaired && message.contains("more") == line.continues);
  }
  assert(joined == without_line_ends(text));
  assert(lines.empty() || !lines.back().continues);
}

void check_words(std::string text) {
  replace_invalid_utf8(text);
  std::string joined;
  for (const std::string& word : split_words(text)) {
    assert(!word.empty() && is_utf8(word));
    joined += word;
  }
  assert(joined == text);
}

std::string decode_base64(const std::string& text) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  assert(text.size() % 4 == 0);
  std::string bytes;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text.substr(0, text.find('='))) {
    assert(kDigits.find(c) != std::string_view::npos);
    bits = bits << 6 | static_cast<std::uint32_t>(kDigits.find(c));
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 0xff);
  }
  return bytes;
}

void check_file(std::string_view bytes) {
  const Json part = Json::parse(encode_part(3, 7, bytes)).at("data");
  assert(part.at("n") == 3 && part.at("offset") == 7 && decode_base64(part.at("base64")) == bytes);

  std::string name(bytes);
  const Json file = Json::parse(encode_file(name, bytes.size(), "00", 1)).at("data");
  replace_invalid_utf8(name);
  assert(file.at("name") == name && file.at("size") == bytes.size());

  const Json buffer = Json::parse(encode_buffer(bytes)).at("msg").at("data");
  assert(buffer.size() == bytes.size());
  for (std::size_t i = 0; i < bytes.size(); ++i) assert(buffer[i] == static_cast<unsigned char>(bytes[i]));
}

}  // namespace
}  // namespace weir

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  weir::FuzzInput input(data, size);
  const std::size_t line_bytes_max = 4 + input.choice(64);
  const std::size_t step = 1 + input.choice(16);
  const std::string_view text = input.rest();
  weir::check_lines(text, line_bytes_max, step);
  weir::check_words(std::string(text));
  weir::check_file(text);
  return 0;
}
