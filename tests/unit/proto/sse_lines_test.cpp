#include "proto/sse_lines.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace weir {
namespace {

// One character after the other.
std::vector<std::string> plainly(const std::string& data) {
  std::vector<std::string> lines(1);
  for (std::size_t i = 0; i < data.size(); ++i) {
    if (data[i] == '\n' && i > 0 && data[i - 1] == '\r') continue;
    if (data[i] == '\n' || data[i] == '\r') {
      lines.emplace_back();
    } else {
      lines.back() += data[i];
    }
  }
  return lines;
}

TEST(SseLines, AreThoseOfTheData) {
  const std::vector<std::string> pieces = {
      "\n", "\r", "\r\n", "\n\r", "a", "\v", "\x0c", "\x8a\x8d", "0123456789abcdef"};
  std::mt19937 random(7);  // NOLINT: the same texts each time.
  for (int i = 0; i < 50'000; ++i) {
    std::string data;
    for (std::size_t left = random() % 30; left > 0; --left) data += pieces[random() % pieces.size()];
    std::string expected = "event: a\n";
    std::size_t bytes = 0;
    const auto lines = plainly(data);
    for (const std::string& line : lines) {
      expected += "data: " + line + '\n';
      bytes += line.size();
    }
    const Lines counted = count_lines(data);
    ASSERT_EQ(counted.count, lines.size());
    ASSERT_EQ(counted.bytes, bytes);
    std::string block = "event: a\n";
    append_data_lines(block, data, counted);
    ASSERT_EQ(block, expected);
  }
}

}  // namespace
}  // namespace weir
