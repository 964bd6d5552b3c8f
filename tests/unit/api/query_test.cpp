#include "broker/api/query.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(Query, IsDecodedAsFormsAre) {
  const QueryParameters expected = {{"channel", "user:42"}, {"channel", "b"}, {"x", "a b"}, {"flag", ""}};
  EXPECT_EQ(parse_query("channel=user%3A42&channel=b&&x=a+b&flag"), expected);
  EXPECT_EQ(parse_query(""), QueryParameters());
}

TEST(Query, WithABrokenEscapeIsNone) {
  EXPECT_EQ(parse_query("a=%4"), std::nullopt);
  EXPECT_EQ(parse_query("a=%zz"), std::nullopt);
}

bool accepts(const char* accept) { return read_accept(accept).is_accepted; }
bool names(const char* accept) { return read_accept(accept).is_named; }

TEST(Accept, ThatIsAbsentTakesAStream) {
  EXPECT_TRUE(read_accept(std::nullopt).is_accepted);
  EXPECT_FALSE(read_accept(std::nullopt).is_named);
  EXPECT_TRUE(accepts(""));
}

TEST(Accept, TakesAStreamByAnyRangeThatCoversIt) {
  for (const char* accept : {"text/event-stream", "*/*", "text/*", "application/json, */*;q=0.1",
                             "TEXT/Event-Stream; q=0.5", "application/json, text/event-stream"}) {
    EXPECT_TRUE(accepts(accept)) << accept;
  }
}

TEST(Accept, ExcludesAStreamThatNoRangeCoversOrThatWeighsNothing) {
  for (const char* accept : {"application/json", "text/html, application/xml", "text/event-stream;q=0",
                             "*/*;q=0.0", "*/*, text/event-stream;q=0", "text/*;q=0, */*"}) {
    EXPECT_FALSE(accepts(accept)) << accept;
  }
}

TEST(Accept, NamesAStreamOnlyOutright) {
  EXPECT_TRUE(names("text/event-stream"));
  EXPECT_TRUE(names("*/*, text/event-stream"));
  EXPECT_FALSE(names("*/*"));
  EXPECT_FALSE(names("text/*"));
  EXPECT_FALSE(names("text/event-stream;q=0"));
}

}  // namespace
}  // namespace weir
