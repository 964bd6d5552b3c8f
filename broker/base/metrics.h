// The metrics of weir-broker. One table (kMetrics) names each of them once; /metrics and docs/metrics.md walk
// it.
//
// prometheus-cpp renders the page. Counting is our own: a prometheus::Counter costs more than a delivery
// does, so the hot path adds to integers of its own shard, and a source sums them at scrape.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir {

enum class MetricType { kCounter, kGauge, kHistogram };

// In the order of kMetrics.
enum class Metric : std::size_t {
  kClients,
  kClientsLimit,
  kClientAddresses,
  kChannels,
  kChannelsLingering,
  kStreamsOpened,
  kStreamsClosed,  // reason
  kMessagesIn,
  kMessageBytesIn,
  kMessagesOut,
  kBytesOut,
  kDeliverySeconds,  // histogram
  kGaps,             // reason
  kHeartbeats,
  kSlowClients,
  kInvalidUtf8,
  kNotEnvelopes,
  kFrameBytes,
  kFrameBytesLimit,
  kHeldBytes,
  kHeldBytesLimit,
  kFramesEvicted,
  kRedisUp,
  kRedisReconnects,
  kSubscriptionsWanted,
  kSubscriptionsAcknowledged,
  kPublishes,  // outcome
  kPublishesWaiting,
  kRequests,  // code
  kRefused,   // reason
  kKeys,
  kKeyReloads,  // outcome
  kRequestsInProgress,
  kConnections,
  kAcceptPauses,
  kRequestBytes,
  kLogLinesLost,
  kAccessLogLeftOut,
  kCount
};

struct MetricRow {
  const char* name;
  MetricType type;
  const char* label;  // Of its one label; nullptr for none.
  const char* help;
};
extern const std::array<MetricRow, static_cast<std::size_t>(Metric::kCount)> kMetrics;

// The upper bounds of the buckets of kDeliverySeconds, in seconds; one more bucket holds the rest.
inline constexpr std::array<double, 14> kDeliveryBounds = {
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0};
struct DeliveryHistogram {
  std::array<std::uint64_t, kDeliveryBounds.size() + 1> buckets{};  // Not cumulative.
  double sum_seconds = 0;
};

// The values of one scrape. Values set for the same metric and label are added up.
class MetricsPage {
 public:
  void add(Metric metric, double value, std::string_view label = {});
  void add(Metric metric, const DeliveryHistogram& histogram);

 private:
  friend class Metrics;
  std::map<std::pair<Metric, std::string>, double> values_;
  std::map<Metric, DeliveryHistogram> histograms_;
};

// Threads: all functions, any thread.
class Metrics {
 public:
  using Source = std::function<void(MetricsPage&)>;

  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // Called at each scrape, on the scraping thread. The source outlives this object or is never called again.
  void add_source(Source source);

  // Counts on cold paths (requests, refusals).
  void count(Metric metric, std::string_view label = {}, std::uint64_t n = 1);

  // The Prometheus text format, version 0.0.4. Rows without a value yet are 0 (unlabelled ones).
  std::string render() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// What docs/metrics.md holds.
std::string metrics_markdown();

}  // namespace weir
