#include "broker/base/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "proto/sse.h"

namespace weir {
namespace {

using testing::HasSubstr;
using testing::Not;

bool has_line(const std::string& page, const std::string& wanted) {
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (line == wanted) return true;
  }
  return false;
}

TEST(Metrics, EveryRowHasItsOwnNameAndIsOnThePage) {
  const auto page = Metrics().render();
  std::set<std::string> names;
  for (const auto& row : kMetrics) {
    ASSERT_NE(row.name, nullptr);
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_EQ(row.type == MetricType::kCounter, std::string(row.name).ends_with("_total")) << row.name;
    if (row.label == nullptr && row.type != MetricType::kHistogram) {
      EXPECT_TRUE(has_line(page, std::string(row.name) + " 0")) << row.name;
    }
  }
}

TEST(Metrics, TakesWholeNumbersOfAnyType) {
  Metrics metrics;
  metrics.add_source([](MetricsPage& page) {
    page.add(Metric::kClients, std::size_t{7});
    page.add(Metric::kChannels, std::uint32_t{3});
    page.add(Metric::kFrameBytes, std::uint64_t{1} << 40);
    page.add(Metric::kKeyReloads, 2, "ok");
  });
  const auto page = metrics.render();
  EXPECT_TRUE(has_line(page, "weir_clients 7"));
  EXPECT_TRUE(has_line(page, "weir_channels 3"));
  EXPECT_TRUE(has_line(page, "weir_frame_bytes 1099511627776"));
  EXPECT_TRUE(has_line(page, "weir_key_reloads_total{outcome=\"ok\"} 2"));
}

TEST(Metrics, RowsStandInTheOrderOfTheEnum) {
  const auto name_of = [](Metric metric) {
    return std::string(kMetrics[static_cast<std::size_t>(metric)].name);
  };
  EXPECT_EQ(name_of(Metric::kClients), "weir_clients");
  EXPECT_EQ(name_of(Metric::kDelivery), "weir_delivery_seconds");
  EXPECT_EQ(name_of(Metric::kGaps), "weir_gaps_total");
  EXPECT_EQ(name_of(Metric::kFrameBytesLimit), "weir_frame_bytes_limit");
  EXPECT_EQ(name_of(Metric::kSubscriptionsAcknowledged), "weir_redis_subscriptions_acknowledged");
  EXPECT_EQ(name_of(Metric::kRequestBytes), "weir_http_request_bytes");
  EXPECT_EQ(name_of(Metric::kMissed), "weir_missed_messages_total");
  EXPECT_EQ(name_of(Metric::kMemory), "weir_memory_bytes");
  EXPECT_EQ(name_of(Metric::kAccessLogLeftOut), "weir_access_log_left_out_total");
  EXPECT_EQ(name_of(Metric::kStartTime), "process_start_time_seconds");
}

TEST(Metrics, ShowsEveryValueOfALabelFromTheStart) {
  const auto page = Metrics().render();
  for (const auto& row : kMetrics) {
    if (row.type == MetricType::kCounter && row.label != nullptr) {
      EXPECT_FALSE(label_values_of(row).empty()) << row.name << " would begin with its first count";
    }
    const std::string end = row.type == MetricType::kHistogram ? "_count" : "";
    for (const auto& value : label_values_of(row)) {
      EXPECT_TRUE(has_line(page, row.name + end + "{" + row.label + "=\"" + value + "\"} 0")) << page;
    }
  }
}

// The enum is in proto, which this folder may include.
TEST(Metrics, TheReasonsOfGapsAreThoseOnTheWire) {
  for (const Metric metric : {Metric::kGaps, Metric::kMissed}) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < kGapReasons; ++i) names.push_back(gap_reason_name(static_cast<GapReason>(i)));
    EXPECT_EQ(label_values_of(kMetrics[static_cast<std::size_t>(metric)]), names);
  }
}

TEST(Metrics, SeveralLabelsAreGivenTogether) {
  Metrics metrics;
  metrics.add_source([](MetricsPage& page) { page.add(Metric::kBuildInfo, 1, "0.1.0,gcc 12.2.0"); });
  EXPECT_TRUE(has_line(metrics.render(), "weir_build_info{version=\"0.1.0\",compiler=\"gcc 12.2.0\"} 1"));
}

TEST(Metrics, AddsUpWhatSourcesAndCountsSay) {
  Metrics metrics;
  metrics.add_source([](MetricsPage& page) {
    page.add(Metric::kClients, 3);
    page.add(Metric::kGaps, 2, "memory");
  });
  metrics.add_source([](MetricsPage& page) { page.add(Metric::kClients, 4); });
  metrics.count(Metric::kGaps, "memory");
  metrics.count(Metric::kRequests, "200", 5);
  metrics.count(Metric::kRequests, "404");
  const auto page = metrics.render();
  EXPECT_TRUE(has_line(page, "weir_clients 7")) << page;
  EXPECT_TRUE(has_line(page, "weir_gaps_total{reason=\"memory\"} 3")) << page;
  EXPECT_TRUE(has_line(page, "weir_gaps_total{reason=\"history\"} 0")) << page;
  EXPECT_TRUE(has_line(page, "weir_http_requests_total{code=\"200\"} 5")) << page;
  EXPECT_TRUE(has_line(page, "weir_http_requests_total{code=\"404\"} 1")) << page;
  EXPECT_TRUE(has_line(page, "# TYPE weir_http_requests_total counter")) << page;
}

TEST(Metrics, AsksSourcesAgainAtEachScrape) {
  Metrics metrics;
  int scrapes = 0;
  metrics.add_source([&scrapes](MetricsPage& page) { page.add(Metric::kClients, ++scrapes); });
  EXPECT_TRUE(has_line(metrics.render(), "weir_clients 1"));
  EXPECT_TRUE(has_line(metrics.render(), "weir_clients 2"));
}

TEST(Metrics, ASourceMayCountItself) {
  Metrics metrics;
  metrics.add_source([&metrics](MetricsPage&) { metrics.count(Metric::kRequests, "200"); });
  metrics.render();
  EXPECT_TRUE(has_line(metrics.render(), "weir_http_requests_total{code=\"200\"} 1"));
}

TEST(Metrics, RendersAHistogramCumulativelyAndSumsItsSources) {
  using std::chrono::microseconds;
  Metrics metrics;
  TimeTally shard;
  for (const int micros : {100, 50, 200, 70'000'000, 80'000'000}) shard.observe(microseconds(micros));
  for (int i = 0; i < 2; ++i) {
    metrics.add_source([&shard](MetricsPage& page) { page.add(Metric::kDelivery, shard); });
  }
  const auto page = metrics.render();
  EXPECT_TRUE(has_line(page, "weir_delivery_seconds_bucket{le=\"0.0001\"} 4")) << page;
  EXPECT_TRUE(has_line(page, "weir_delivery_seconds_bucket{le=\"0.00025\"} 6")) << page;
  EXPECT_TRUE(has_line(page, "weir_delivery_seconds_bucket{le=\"60\"} 6")) << page;
  EXPECT_TRUE(has_line(page, "weir_delivery_seconds_bucket{le=\"+Inf\"} 10")) << page;
  EXPECT_TRUE(has_line(page, "weir_delivery_seconds_count 10")) << page;
  EXPECT_TRUE(has_line(page, "weir_delivery_seconds_sum 300.0007")) << page;
}

TEST(Metrics, AHistogramMayHaveALabel) {
  Metrics metrics;
  TimeTally times;
  times.observe(std::chrono::milliseconds(2));
  metrics.add_source([&times](MetricsPage& page) { page.add(Metric::kRedisRoundTrip, times, "publisher"); });
  const auto page = metrics.render();
  EXPECT_TRUE(has_line(page, "weir_redis_round_trip_seconds_count{connection=\"publisher\"} 1")) << page;
  EXPECT_TRUE(has_line(page, "weir_redis_round_trip_seconds_count{connection=\"subscriber\"} 0")) << page;
  EXPECT_TRUE(
      has_line(page, "weir_redis_round_trip_seconds_bucket{connection=\"publisher\",le=\"0.0025\"} 1"))
      << page;
}

TEST(Metrics, EscapesLabels) {
  Metrics metrics;
  metrics.count(Metric::kRefused, "a\"b\\c\nd");
  const auto page = metrics.render();
  EXPECT_THAT(page, HasSubstr("weir_http_refused_total{reason=\"a\\\"b\\\\c\\nd\"} 1\n"));
}

TEST(Metrics, LargeCountsKeepTheirDigits) {
  Metrics metrics;
  metrics.count(Metric::kBytesOut, {}, 1'234'567'890'123);
  EXPECT_THAT(metrics.render(), HasSubstr("weir_bytes_out_total 1234567890123\n"));
}

// After a change of the table: the build target `docs` writes the page.
TEST(Metrics, TheMetricsPageIsTheTable) {
  std::ostringstream text;
  text << std::ifstream(std::string(WEIR_SOURCE_DIR) + "/docs/metrics.md").rdbuf();
  EXPECT_EQ(text.str(), metrics_markdown());
}

}  // namespace
}  // namespace weir
