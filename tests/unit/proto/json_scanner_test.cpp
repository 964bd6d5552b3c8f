#include "proto/json_scanner.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "proto/envelope.h"

namespace weir {
namespace {

TEST(JsonScanner, StepsOverOneValueAfterTheOther) {
  JsonScanner scanner(" {\"a\":[1, {}]} , -1.5e+3,\"\\\"\\u00e9\" ,null ");
  EXPECT_EQ(scanner.next_value(), "{\"a\":[1, {}]}");
  EXPECT_TRUE(scanner.take(','));
  EXPECT_EQ(scanner.next_value(), "-1.5e+3");
  EXPECT_FALSE(scanner.is_at_end());
  EXPECT_TRUE(scanner.take(','));
  EXPECT_TRUE(scanner.is_at_string());
  EXPECT_EQ(scanner.next_value(), "\"\\\"\\u00e9\"");
  EXPECT_FALSE(scanner.take('x'));
  EXPECT_TRUE(scanner.take(','));
  EXPECT_FALSE(scanner.is_at_string());
  EXPECT_EQ(scanner.next_value(), "null");
  EXPECT_TRUE(scanner.is_at_end());
  EXPECT_EQ(scanner.next_value(), "");
}

TEST(IsJson, TakesOneValue) {
  for (const char* text : {"1",
                           " 1 ",
                           "-0",
                           "0.10",
                           "1e5",
                           "1E-05",
                           "1234567890123456789012345",
                           "1e999",
                           "\"\"",
                           "\"\\ud800\"",
                           "\"\x7f\"",
                           "\"\\/\\b\\f\\n\\r\\t\\\"\\\\\\uABcd\"",
                           "null",
                           "true",
                           "false",
                           "[]",
                           "[ ]",
                           "{}",
                           "{ }",
                           "[[],{}]",
                           "{\"\":{\"a\":[1,2]},\"\":0}",
                           "\t\r\n[1]\t\r\n"}) {
    EXPECT_TRUE(is_json(text)) << text;
  }
}

TEST(IsJson, TakesNothingElse) {
  for (const char* text : {"",
                           " ",
                           "a",
                           "1 2",
                           "01",
                           "-01",
                           "1.",
                           ".5",
                           "+1",
                           "-",
                           "1e",
                           "1e+",
                           "0x1",
                           "'a'",
                           "[1,]",
                           "[,1]",
                           "[1 2]",
                           "[1",
                           "]",
                           "[}",
                           "{]",
                           "{\"a\"",
                           "{a:1}",
                           "{\"a\":}",
                           "{\"a\"}",
                           "{1:2}",
                           "{\"a\":1,}",
                           "{,}",
                           "NaN",
                           "tru",
                           "truee",
                           "True",
                           "nulll",
                           "\"a",
                           "\"\\x\"",
                           "\"\\",
                           "\"\\u12\"",
                           "\"\\u12g4\"",
                           "\"\t\"",
                           "\"\x1f\"",
                           "// x\n1",
                           "1//",
                           "\xEF\xBB\xBF"
                           "1",
                           "\v1",
                           "\"a\"\"b\"",
                           "{}{}",
                           "[1]]"}) {
    EXPECT_FALSE(is_json(text)) << text;
  }
  EXPECT_FALSE(is_json(std::string_view("1\0", 2)));
  EXPECT_FALSE(is_json(std::string_view("1\0garbage", 9)));
  EXPECT_FALSE(is_json(std::string_view("\"\0\"", 3)));
  EXPECT_FALSE(is_json(std::string_view("\"\\\0\"", 4)));
}

// Valid JSON first, then broken in one place: random tokens alone would hardly ever be valid.
std::string random_value(std::mt19937& random, int depth) {
  static const std::vector<std::string> kScalars = {"0",      "-12",  "3.5e-7", "1E+2",    "true",
                                                    "false",  "null", "\"\"",   "\"a b\"", "\"\\u00e9\\n\"",
                                                    "\"é🎉\"", " 1 "};
  const auto kind = random() % 4;
  if (depth == 0 || kind < 2) return kScalars[random() % kScalars.size()];
  std::string text;
  for (std::size_t left = random() % 4; left > 0; --left) {
    if (!text.empty()) text += " ,";
    if (kind == 2) text += "\"k\" :";
    text += random_value(random, depth - 1);
  }
  return kind == 2 ? "{ " + text + "}" : "[" + text + " ]";
}

// Nullopt for a number past the range of a double, which that library converts and then refuses.
std::optional<bool> nlohmann_accepts(const std::string& text) {
  try {
    return !nlohmann::json::parse(text).is_discarded();
  } catch (const nlohmann::json::out_of_range&) {
    return std::nullopt;
  } catch (const nlohmann::json::parse_error&) {
    return false;
  }
}

TEST(IsJson, AgreesWithNlohmannJson) {
  constexpr std::string_view kBytes = "{}[]\",:\\ \n0123456789.eE+-truefalsnux/";
  std::mt19937 random(3);  // NOLINT: the same texts each time.
  std::size_t valid = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text = random_value(random, 4);
    for (std::size_t edits = random() % 3; edits > 0 && !text.empty(); --edits) {
      const std::size_t at = random() % text.size();
      const char byte = kBytes[random() % kBytes.size()];
      if (random() % 2) {
        text[at] = byte;
      } else if (random() % 2) {
        text.erase(at, 1);
      } else {
        text.insert(at, 1, byte);
      }
    }
    if (!is_utf8(text)) continue;  // The scanner's caller has replaced that.
    const auto expected = nlohmann_accepts(text);
    if (!expected) continue;
    EXPECT_EQ(is_json(text), *expected) << text;
    valid += is_json(text);
  }
  EXPECT_GT(valid, 2'000u);
  EXPECT_LT(valid, 18'000u);
}

std::string_view string_in(const std::string& text) { return JsonScanner(text).next_value(); }

std::optional<std::string> text_in(const std::string& string) {
  JsonScanner scanner(string);
  std::string text;
  if (!scanner.next_text(text) || !scanner.is_at_end()) return std::nullopt;
  return text;
}

TEST(JsonScanner, DecodesAStringAsNlohmannJsonDoes) {
  const std::vector<std::string> pieces = {
      "\\n",     "\\\"",    "\\\\",  "\\/", "\\u0041", "\\u0000", "\\u00E9", "\\u20aC", "\\ud83d\\ude00",
      "\\ud83d", "\\ude00", "\\u12", "\\x", "a",       "bc",      "é",       "🎉",       "0123456789",
      "\x01",    "\""};
  std::mt19937 random(5);  // NOLINT: the same texts each time.
  std::size_t decoded = 0;
  for (int i = 0; i < 50'000; ++i) {
    std::string string = "\"";
    // The last seven are rare: most strings must be good ones.
    for (std::size_t left = random() % 40; left > 0; --left) {
      const std::size_t choice = random() % (random() % 64 == 0 ? pieces.size() : 9);
      string += pieces[choice] + std::string(random() % 4 == 0 ? random() % 20 : 0, 'x');
    }
    string += '"';
    const auto expected = nlohmann::json::parse(string, nullptr, false);
    const auto text = text_in(string);
    ASSERT_EQ(text.has_value(), expected.is_string()) << string;
    ASSERT_EQ(text.value_or(""), expected.is_string() ? expected.get<std::string>() : "") << string;
    decoded += text.has_value();
  }
  EXPECT_GT(decoded, 20'000u);
  EXPECT_LT(decoded, 49'000u);
}

// Decoded in pieces: their borders are nowhere to be seen.
TEST(JsonScanner, DecodesAStringOfAnyLength) {
  for (const char* unit : {"\\n", "\\u20ac", "\\ud83d\\ude00", "a\\t", "abcdefghijk\\u0001"}) {
    for (std::size_t units = 1; units < 12'000; units += units < 20 ? 1 : 997) {
      std::string string = "\"";
      for (std::size_t i = 0; i < units; ++i) string += unit;
      ASSERT_EQ(text_in(string + '"'), nlohmann::json::parse(string + '"').get<std::string>())
          << unit << units;
      ASSERT_EQ(text_in(string), std::nullopt);
      ASSERT_EQ(text_in(string + '\\'), std::nullopt);
    }
  }
}

TEST(JsonString, IsWhatNlohmannJsonWrites) {
  std::mt19937 random(6);  // NOLINT: the same texts each time.
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (std::size_t left = random() % 30; left > 0; --left) {
      text += random() % 2 ? static_cast<char>(random() % 0x80) : 'a';
      if (random() % 8 == 0) text += "é🎉";
    }
    ASSERT_EQ(json_string(text), nlohmann::json(text).dump());
  }
  const std::string long_text(10'000, '\x01');
  EXPECT_EQ(json_string(long_text), nlohmann::json(long_text).dump());
  EXPECT_EQ(json_string("a\xff"), "\"a\xEF\xBF\xBD\"");
}

TEST(IsJson, OfBracketsKeepsTheirKinds) {
  for (const std::size_t depth : {1u, 2u, 63u, 64u, 65u, 127u, 128u, 129u, 1'000u}) {
    std::mt19937 random(static_cast<unsigned>(depth));  // NOLINT: the same texts each time.
    std::string opening, closing;
    for (std::size_t i = 0; i < depth; ++i) {
      const bool is_object = random() % 2 == 0;
      opening += is_object ? "{\"\":" : "[";
      closing.insert(closing.begin(), is_object ? '}' : ']');
    }
    EXPECT_TRUE(is_json(opening + "0" + closing));
    EXPECT_FALSE(is_json(opening + "0" + closing.substr(1)));
    for (std::size_t wrong = 0; wrong < depth; wrong += 1 + depth / 50) {
      std::string other = closing;
      other[wrong] = other[wrong] == '}' ? ']' : '}';
      EXPECT_FALSE(is_json(opening + "0" + other)) << depth << ' ' << wrong;
    }
  }
  for (const char* text : {"[1, ]", "{\"a\": }", "{\"a\":}", "[[], ]", "[ { } , [ ] ]x", "[[1]", "[[,[]]]"}) {
    EXPECT_FALSE(is_json(text)) << text;
  }
}

// Strings are scanned eight bytes at a time: wherever their end lies, and whatever lies behind it.
TEST(JsonScanner, FindsTheEndOfAStringAtEveryOffset) {
  for (std::size_t length = 0; length < 40; ++length) {
    for (const char filling : {'x', ' ', '\x7f', '!', '#', '[', ']', '\xc3'}) {
      const std::string string = '"' + std::string(length, filling) + '"';
      for (const char* rest :
           {"", "\"", ",\"other\"", "\\\\\\\\\\\\\\\\\\", "xxxxxxxx", "\n\n\n\n\n\n\n\n"}) {
        EXPECT_EQ(string_in(string + rest), string) << length;
      }
    }
  }
}

TEST(JsonScanner, FindsAnEscapeAtEveryOffset) {
  for (std::size_t before = 0; before < 20; ++before) {
    for (std::size_t after = 0; after < 20; ++after) {
      for (const char* escape : {"\\\"", "\\\\", "\\n", "\\u00e9"}) {
        const std::string string = '"' + std::string(before, 'a') + escape + std::string(after, 'b') + '"';
        EXPECT_EQ(string_in(string + "\""), string);
      }
      const std::string with_bad_escape =
          '"' + std::string(before, 'a') + "\\x" + std::string(after, 'b') + '"';
      EXPECT_EQ(string_in(with_bad_escape), "");
    }
  }
}

TEST(JsonScanner, RefusesAControlCharacterAtEveryOffset) {
  for (std::size_t before = 0; before < 20; ++before) {
    for (char control = 0; control < 0x20; ++control) {
      const std::string text = '"' + std::string(before, 'a') + control + "bbbbbbbbbb\"";
      EXPECT_EQ(string_in(text), "") << before << ' ' << static_cast<int>(control);
    }
  }
}

TEST(JsonScanner, RefusesAStringWithoutAnEnd) {
  for (std::size_t length = 0; length < 20; ++length)
    EXPECT_EQ(string_in('"' + std::string(length, 'a')), "");
}

}  // namespace
}  // namespace weir
