#include "process/readable.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(Readable, OneLineEscapesControlCharactersAndNothingElse) {
  EXPECT_EQ(one_line(std::string_view("a\nb\rc\td\0e\x1b[0m\x7f", 14)), "a\\nb\\rc\\td\\x00e\\x1b[0m\\x7f");
  EXPECT_EQ(one_line("caf\xc3\xa9 \\n \"x\""), "caf\xc3\xa9 \\n \"x\"");
  EXPECT_EQ(one_line(one_line("a\nb")), "a\\nb");
}

TEST(Readable, BytesAreInTheLargestUnitThatLeavesNoFraction) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(1'500), "1500 B");
  EXPECT_EQ(bytes_text(64 << 10), "64 KiB");
  EXPECT_EQ(bytes_text(4 << 20), "4 MiB");
  EXPECT_EQ(bytes_text(std::uint64_t{3} << 30), "3 GiB");
}

}  // namespace
}  // namespace weir
