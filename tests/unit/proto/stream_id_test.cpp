#include "proto/stream_id.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace weir {
namespace {

constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();

TEST(StreamId, IsReadAsItIsWritten) {
  const std::vector<StreamId> ids{{0, 0}, {0, 1}, {1, 0}, {1'760'000'000'000'123'456, 7}, {kMost, kMost}};
  for (const StreamId& id : ids) EXPECT_EQ(parse_stream_id(format_stream_id(id)), id) << format_stream_id(id);
  EXPECT_EQ(format_stream_id({1'760'000'000'000, 12}), "1760000000000-12");
  EXPECT_EQ(format_stream_id({kMost, kMost}), "18446744073709551615-18446744073709551615");
}

TEST(StreamId, InAnyOtherFormIsNone) {
  for (const std::string text : {"",
                                 "-",
                                 "1",
                                 "1-",
                                 "-1",
                                 "1-1-1",
                                 "1--1",
                                 "01-1",
                                 "1-01",
                                 "00-0",
                                 "+1-1",
                                 "1-+1",
                                 " 1-1",
                                 "1-1 ",
                                 "1 -1",
                                 "1-1a",
                                 "a-1",
                                 "1-a",
                                 "1.1",
                                 "0x1-1",
                                 "*",
                                 "1-*",
                                 "$",
                                 "(1-1",
                                 "18446744073709551616-0",
                                 "0-18446744073709551616",
                                 "1-1~own",
                                 "1-99999999999999999999999"}) {
    EXPECT_FALSE(parse_stream_id(text)) << text;
  }
  EXPECT_FALSE(parse_stream_id(std::string("1-1\0", 4)));
}

TEST(StreamId, IsInTheOrderOfRedis) {
  EXPECT_LT((StreamId{1, 9}), (StreamId{1, 10}));
  EXPECT_LT((StreamId{1, kMost}), (StreamId{2, 0}));
  EXPECT_LT(kStreamBegin, (StreamId{0, 1})) << "the first id that Redis gives";
}

TEST(StreamId, BeforeAnotherIsTheGreatestBelowIt) {
  EXPECT_EQ(id_before({5, 3}), (StreamId{5, 2}));
  EXPECT_EQ(id_before({5, 0}), (StreamId{4, kMost}));
  EXPECT_EQ(id_before({0, 1}), kStreamBegin);
}

}  // namespace
}  // namespace weir
