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

#include "broker/base/tally.h"

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
  kStreamStart,    // histogram
  kMessagesIn,
  kMessageBytesIn,
  kMessagesOut,
  kBytesOut,
  kDelivery,  // histogram
  kLag,       // histogram
  kGaps,      // reason
  kMissed,    // reason
  kHeartbeats,
  kSlowClients,
  kWaitingMessages,
  kWaitingBytes,
  kInvalidUtf8,
  kNotEnvelopes,
  kMemory,  // holder
  kFrameBytes,
  kFrameBytesLimit,
  kHeldBytes,
  kHeldBytesLimit,
  kFramesEvicted,
  kRedisUp,
  kRedisReached,
  kRedisReconnects,
  kRedisRoundTrip,  // connection, histogram
  kHistoryEntries,  // way
  kHistoryPages,
  kHistoryPageBytes,
  kHistoryPageBytesLimit,
  kHistoryPagesRead,
  kHistoryPagesFound,
  kHistoryQueries,
  kHistoryWaiting,
  kForgedAnnouncements,
  kLostAnnouncements,
  kPlainMessages,
  kHistoryReads,
  kHistoryReadsWaiting,
  kInvalidAnnouncements,
  kFunctionInstalls,  // outcome
  kSubscriptionsWanted,
  kSubscriptionsAcknowledged,
  kFollowedStreams,
  kFollowedConnections,
  kFollowedCommands,  // kind
  kFollowedMadeAnew,
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
  kBuildInfo,  // version, revision, compiler
  kContainerMemory,
  kContainerMemoryLimit,
  kResidentMemory,
  kProcessorSeconds,
  kOpenDescriptors,
  kDescriptorsLimit,
  kStartTime,
  kCount
};

struct MetricRow {
  const char* name;
  MetricType type;
  const char* label;  // The names of its labels, separated by commas; nullptr for none.
  const char* help;
  // All values of its label, separated by spaces; each is on every page, at 0 if need be: an alert on a rate
  // misses what is a series' first value. nullptr if the values are not known before.
  const char* label_values = nullptr;
};
extern const std::array<MetricRow, static_cast<std::size_t>(Metric::kCount)> kMetrics;
// The label values of `row`, one by one.
std::vector<std::string> label_values_of(const MetricRow& row);

// The values of one scrape. Values added for the same metric and label are summed. `label` is its value, or
// several separated by commas. Threads: the scraping one.
class MetricsPage {
 public:
  void add(Metric metric, double value, std::string_view label = {});
  template <std::integral Integer>
  void add(Metric metric, Integer value, std::string_view label = {}) {
    add(metric, static_cast<double>(value), label);  // Exact up to 2^53.
  }
  void add(Metric metric, const TimeTally& times, std::string_view label = {});

 private:
  friend class Metrics;
  struct Histogram {
    std::array<std::uint64_t, kBoundsMicros.size() + 1> buckets{};  // Not cumulative.
    double sum_seconds = 0;
  };
  template <typename Value>
  using ByLabel = std::map<std::pair<Metric, std::string>, Value>;

  ByLabel<double> values_;
  ByLabel<Histogram> histograms_;
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

  // The page in the Prometheus text format, version 0.0.4. What has no value yet is 0.
  std::string render() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The content of docs/metrics.md.
std::string metrics_markdown();

}  // namespace weir
