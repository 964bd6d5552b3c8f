#include "publishers/demo/stamp.h"

#include <gtest/gtest.h>

#include "proto/envelope.h"

namespace weir {
namespace {

// `payload` with its stamp, as it is if it gets none.
std::string stamp(const std::string& payload) {
  const auto place = stamp_place(payload);
  return place ? stamped(payload, *place, 5) : payload;
}

TEST(Stamp, IsTheLastMemberOfAnObject) {
  EXPECT_EQ(stamp(R"({"msg":"aaa"})"), R"({"msg":"aaa","time":5})");
  EXPECT_EQ(stamp(R"( {"a":{"time":1}, "b":"}" } )"), R"( {"a":{"time":1}, "b":"}" ,"time":5} )");
  EXPECT_EQ(stamp("{}"), R"({"time":5})");
  EXPECT_EQ(stamp("{ }"), R"({ "time":5})");
}

TEST(Stamp, IsInTheDataOfAnEnvelope) {
  const std::string payload = stamp(R"({"type":"tick","data":{"a":1},"id":"7"})");
  EXPECT_EQ(payload, R"({"type":"tick","data":{"a":1,"time":5},"id":"7"})");
  const auto message = parse_payload(payload, EnvelopeMode::kAuto);
  EXPECT_EQ(message.type, "tick");
  EXPECT_EQ(message.data, R"({"a":1,"time":5})");
  EXPECT_EQ(stamp(R"({"data":{}})"), R"({"data":{"time":5}})");
}

TEST(Stamp, IsNotGivenTwice) {
  for (const std::string payload :
       {R"({"time":1,"msg":"a"})", R"({"ti\u006de":1})", R"({"data":{"time":1}})"}) {
    EXPECT_EQ(stamp(payload), payload);
  }
}

TEST(Stamp, LeavesWhatIsNoObjectAsItIs) {
  for (const std::string payload : {R"("text")", "5", "[{}]", "", "{", R"({"a":1} x)", R"({"data":"text"})",
                                    R"({"type":"weir:end"})", R"({"type":"tick","data":[1]})"}) {
    EXPECT_EQ(stamp(payload), payload);
  }
}

TEST(Stamp, IsMillisecondsSince1970) {
  EXPECT_GT(now_ms(), 1'700'000'000'000U);
  EXPECT_LT(now_ms(), 100'000'000'000'000U);
}

}  // namespace
}  // namespace weir
