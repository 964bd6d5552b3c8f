#include "proto/utf8.h"

#include <gtest/gtest.h>

#include <random>
#include <utility>
#include <vector>

#include "vectors.h"

namespace weir {
namespace {

TEST(Utf8, IsRepairedAsTheVectorsSay) {
  for (const auto& vector : load_vectors("utf8.json")) {
    SCOPED_TRACE(vector.at("name").get<std::string>());
    std::string text = bytes_of(vector, "bytes");
    EXPECT_EQ(is_utf8(text), vector.at("replaced") == 0);
    EXPECT_EQ(replace_invalid_utf8(text), vector.at("replaced").get<std::size_t>());
    EXPECT_EQ(text, vector.at("text").get<std::string>());
    EXPECT_TRUE(is_utf8(text));
  }
}

TEST(Utf8, IsCheckedTheSameAtEveryOffsetOfAWord) {
  for (std::size_t before = 0; before < 20; ++before) {
    for (std::size_t after = 0; after < 20; ++after) {
      std::string text = std::string(before, 'a') + '\xff' + std::string(after, 'b');
      EXPECT_FALSE(is_utf8(text));
      EXPECT_EQ(replace_invalid_utf8(text), 1u);
      EXPECT_EQ(text, std::string(before, 'a') + "\xEF\xBF\xBD" + std::string(after, 'b'));
    }
  }
}

// One byte after the other, by table 3-7: how many begin a well-formed sequence at `position` (0: none), and
// how many of a broken one are replaced together.
struct Found {
  std::size_t valid = 0;
  std::size_t broken = 1;
};
Found plainly_at(const std::string& text, std::size_t position) {
  const auto in = [&](std::size_t i, int low, int high) {
    if (position + i >= text.size()) return false;
    const int byte = static_cast<unsigned char>(text[position + i]);
    return byte >= low && byte <= high;
  };
  const std::vector<std::vector<std::pair<int, int>>> rows = {
      {{0x00, 0x7F}},
      {{0xC2, 0xDF}, {0x80, 0xBF}},
      {{0xE0, 0xE0}, {0xA0, 0xBF}, {0x80, 0xBF}},
      {{0xE1, 0xEC}, {0x80, 0xBF}, {0x80, 0xBF}},
      {{0xED, 0xED}, {0x80, 0x9F}, {0x80, 0xBF}},
      {{0xEE, 0xEF}, {0x80, 0xBF}, {0x80, 0xBF}},
      {{0xF0, 0xF0}, {0x90, 0xBF}, {0x80, 0xBF}, {0x80, 0xBF}},
      {{0xF1, 0xF3}, {0x80, 0xBF}, {0x80, 0xBF}, {0x80, 0xBF}},
      {{0xF4, 0xF4}, {0x80, 0x8F}, {0x80, 0xBF}, {0x80, 0xBF}}};
  for (const auto& row : rows) {
    std::size_t fits = 0;
    while (fits < row.size() && in(fits, row[fits].first, row[fits].second)) ++fits;
    if (fits == row.size()) return {fits, 0};
    if (fits > 0) return {0, fits};
  }
  return {};
}

TEST(Utf8, IsRepairedAsTheTableSays) {
  const std::vector<std::string> pieces = {
      "a",        "abcdefghij",   "\xc3\xa9",         "\xe2\x82\xac",     "\xf0\x9f\x98\x80",
      "\xff",     "\xc3",         "\xe2\x82",         "\xf0\x9f\x98",     "\xed\xa0\x80",
      "\xc0\x80", "\xe0\x80\x80", "\xf4\x90\x80\x80", "\xf0\x80\x80\x80", "\x80"};
  std::mt19937 random(4);  // NOLINT: the same texts each time.
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (std::size_t left = random() % 40; left > 0; --left)
      text += pieces[random() % (i % 2 == 0 ? 5 : pieces.size())];
    if (random() % 50 == 0) text.insert(0, 5'000, random() % 2 ? '\xff' : 'a');
    if (random() % 4 == 0 && !text.empty()) text[random() % text.size()] = static_cast<char>(random());
    std::string expected;
    std::size_t replaced = 0;
    for (std::size_t at = 0; at < text.size();) {
      const Found found = plainly_at(text, at);
      expected += found.valid > 0 ? text.substr(at, found.valid) : "\xEF\xBF\xBD";
      replaced += found.valid == 0;
      at += found.valid + found.broken;
    }
    ASSERT_EQ(is_utf8(text), replaced == 0);
    ASSERT_EQ(replace_invalid_utf8(text), replaced);
    ASSERT_EQ(text, expected);
  }
}

TEST(Utf8, OfEveryCharacterIsTaken) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string text;
    const auto tail = [&](int shift) { text += static_cast<char>(0x80 | (c >> shift & 0x3F)); };
    if (c < 0x80) {
      text += static_cast<char>(c);
    } else if (c < 0x800) {
      text += static_cast<char>(0xC0 | c >> 6);
      tail(0);
    } else if (c < 0x10000) {
      text += static_cast<char>(0xE0 | c >> 12);
      tail(6), tail(0);
    } else {
      text += static_cast<char>(0xF0 | c >> 18);
      tail(12), tail(6), tail(0);
    }
    ASSERT_TRUE(is_utf8(text)) << std::hex << static_cast<unsigned long>(c);
    if (text.size() > 1) {
      ASSERT_FALSE(is_utf8(text.substr(0, text.size() - 1))) << std::hex << static_cast<unsigned long>(c);
    }
  }
}

}  // namespace
}  // namespace weir
