// The metrics of weir-broker. One table (kMetrics) names each of them once; /metrics
// and docs/metrics.md walk it.
//
// prometheus-cpp renders the page but does not count: a prometheus::Counter costs more than a delivery does.
// The hot path adds to integers of its own shard, and a source sums them at each scrape.
#pragma once

#include <array>
#include <concepts>
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
  const char* label;  // The name of its one label; nullptr for none.
  const char* help;
};
extern const std::array<MetricRow, static_cast<std::size_t>(Metric::kCount)> kMetrics;

// The upper bounds of kDeliverySeconds' buckets, in seconds. One more bucket holds the rest.
inline constexpr std::array<double, 14> kDeliveryBounds = {
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0};
struct DeliveryHistogram {
  std::array<std::uint64_t, kDeliveryBounds.size() + 1> buckets{};  // Not cumulative.
  double sum_seconds = 0;
};

// The values of one scrape. Values added for the same metric and label are summed. Threads: the scraping one.
class MetricsPage {
 public:
  void add(Metric metric, double value, std::string_view label = {});
  template <std::integral Integer>
  void add(Metric metric, Integer value, std::string_view label = {}) {
    add(metric, static_cast<double>(value), label);  // Exact up to 2^53.
  }
  void add(Metric metric, const DeliveryHistogram& histogram);

 private:
  friend class Metrics;
  std::map<std::pair<Metric, std::string>, double> values_;
  std::map<Metric, DeliveryHistogram> histograms_;
};

// All metrics of the process: counters of cold paths, and sources for everything else.
//
// Threads: any, for all functions. Two scrapes may call a source at once, without a lock.
class Metrics {
 public:
  using Source = std::function<void(MetricsPage&)>;

  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // `source` is called at each scrape, on the scraping thread. Everything it uses must
  // outlive the last render().
  void add_source(Source source);

  // Adds `n` to a counter. For cold paths (requests, refusals): it takes a lock.
  void count(Metric metric, std::string_view label = {}, std::uint64_t n = 1);

  // The page in the Prometheus text format, version 0.0.4. A row without a label and without a value is 0.
  std::string render() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The content of docs/metrics.md.
std::string metrics_markdown();

}  // namespace weir
