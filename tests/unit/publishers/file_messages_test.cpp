#include "publishers/file/file_messages.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(FileMessages, EncodeABufferAsNodeDoes) {
  EXPECT_EQ(encode_buffer(std::string("\0\x01\x7f\xff", 4)),
            R"({"msg":{"type":"Buffer","data":[0,1,127,255]}})");
  EXPECT_EQ(encode_buffer(""), R"({"msg":{"type":"Buffer","data":[]}})");
}

TEST(FileMessages, EncodeAFile) {
  EXPECT_EQ(encode_file("a \"b\".bin", 5, "abc", 2),
            R"({"type":"file","data":{"name":"a \"b\".bin","size":5,"sha256":"abc","parts":2}})");
}

TEST(FileMessages, ReplaceWhatIsNotUtf8InAName) {
  EXPECT_NE(encode_file("\xFF.bin", 0, "", 0).find("\"\xEF\xBF\xBD.bin\""), std::string::npos);
}

TEST(FileMessages, EncodeAPart) {
  EXPECT_EQ(encode_part(3, 144, std::string("\0\xff\x10\x80", 4)),
            R"({"type":"part","data":{"n":3,"offset":144,"base64":"AP8QgA=="}})");
}

TEST(FileMessages, CountParts) {
  EXPECT_EQ(count_parts(0, 10), 0U);
  EXPECT_EQ(count_parts(1, 10), 1U);
  EXPECT_EQ(count_parts(10, 10), 1U);
  EXPECT_EQ(count_parts(11, 10), 2U);
}

}  // namespace
}  // namespace weir
