#include "broker/http/refused.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "broker/base/metrics.h"
#include "broker/http/reply.h"

namespace weir {
namespace {

TEST(Refused, HasAName) {
  EXPECT_STREQ(refused_name(Refused::kBadRequest), "bad-request");
  EXPECT_STREQ(refused_name(Refused::kRequestMemoryPerAddress), "request-memory-per-address");
  EXPECT_STREQ(refused_name(Refused::kClientsPerAddress), "clients-per-address");
  EXPECT_STREQ(refused_name(Refused::kChannelsPerClient), "channels-per-client");
  EXPECT_STREQ(refused_name(Refused::kTokenScope), "token-scope");
  EXPECT_STREQ(refused_name(Refused::kBusRefused), "bus-refused");
}

TEST(Refused, HasANameOfItsOwnThatIsExplained) {
  std::ifstream file(WEIR_SOURCE_DIR "/docs/operations.md");
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  std::set<std::string> names;
  for (std::size_t i = 0; i < static_cast<std::size_t>(Refused::kCount); ++i) {
    const std::string name = refused_name(static_cast<Refused>(i));
    EXPECT_TRUE(names.insert(name).second) << name;
    if (name.starts_with("bus-")) continue;  // "bus-…" on that page.
    EXPECT_NE(page.find("`" + name + "`"), std::string::npos) << name;
  }
}

TEST(Refused, TheMetricShowsEachNameFromTheStart) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < static_cast<std::size_t>(Refused::kCount); ++i)
    names.emplace_back(refused_name(static_cast<Refused>(i)));
  EXPECT_EQ(label_values_of(kMetrics[static_cast<std::size_t>(Metric::kRefused)]), names);
}

TEST(Reply, TheMetricShowsEachStatusFromTheStart) {
  std::vector<std::string> statuses;
  for (int status = 100; status < 600; ++status) {
    if (std::string(status_text(status)) != "Unknown") statuses.push_back(std::to_string(status));
  }
  EXPECT_EQ(label_values_of(kMetrics[static_cast<std::size_t>(Metric::kRequests)]), statuses);
}

}  // namespace
}  // namespace weir
