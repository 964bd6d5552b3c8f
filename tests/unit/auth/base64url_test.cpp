#include "broker/auth/base64url.h"

#include <gtest/gtest.h>

#include "tests/unit/auth/token_maker.h"

namespace weir {
namespace {

TEST(Base64Url, DecodesWhatAnEncoderMakes) {
  EXPECT_EQ(decode_base64url(""), "");
  EXPECT_EQ(decode_base64url("Zg"), "f");
  EXPECT_EQ(decode_base64url("Zm8"), "fo");
  EXPECT_EQ(decode_base64url("Zm9v"), "foo");
  EXPECT_EQ(decode_base64url("-_-_"), "\xfb\xff\xbf");
  std::string all;
  for (int size = 0; size < 300; ++size) {
    EXPECT_EQ(decode_base64url(encode_base64url(all)), all);
    all += static_cast<char>(size * 7);
  }
}

TEST(Base64Url, KnowsOneSpellingAlone) {
  for (const char* text : {"Zg==", "Zg=", "Zh", "Zm9", "Z", "Zm9vZ", "+/+/", "Zm9v\n", " Zm9v", "Zm.v",
                           "Zm9v====", "Zm\xc3\xa4"}) {
    EXPECT_EQ(decode_base64url(text), std::nullopt) << text;
  }
  EXPECT_EQ(decode_base64url(std::string_view("Zm\0v", 4)), std::nullopt);
}

}  // namespace
}  // namespace weir
