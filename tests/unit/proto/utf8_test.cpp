#include "proto/utf8.h"

#include <gtest/gtest.h>

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
