#include "broker/base/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <cassert>

#include "broker/base/mutex.h"
#include "proto/sse.h"

namespace weir {
namespace {

constexpr auto kCounter = MetricType::kCounter;
constexpr auto kGauge = MetricType::kGauge;
constexpr auto kHistogram = MetricType::kHistogram;

}  // namespace

const std::array<MetricRow, static_cast<std::size_t>(Metric::kCount)> kMetrics = {{
    {"weir_clients", kGauge, nullptr, "Streams open now."},
    {"weir_clients_limit", kGauge, nullptr, "Streams that may be open at the same time."},
    {"weir_client_addresses", kGauge, nullptr,
     "Client addresses that have a stream now; counted only where max-clients-per-address is set."},
    {"weir_channels", kGauge, nullptr,
     "Channels open now: followed by a client, lingering after one, or recorded."},
    {"weir_channels_lingering", kGauge, nullptr,
     "Of these, channels whose last client has left within linger-seconds."},
    {"weir_streams_opened_total", kCounter, nullptr, "Streams that were opened."},
    {"weir_streams_closed_total", kCounter, "reason", "Streams that ended, by reason."},
    {"weir_messages_in_total", kCounter, nullptr, "Messages that arrived from the bus."},
    {"weir_message_bytes_in_total", kCounter, nullptr, "Bytes of the payloads of these messages."},
    {"weir_messages_out_total", kCounter, nullptr,
     "Messages written to clients: one message to ten clients is ten."},
    {"weir_bytes_out_total", kCounter, nullptr, "Bytes written to the sockets of clients."},
    {"weir_delivery_seconds", kHistogram, nullptr,
     "From a message's arrival from the bus to the last socket write of its batch, observed once per batch "
     "and shard."},
    {"weir_gaps_total", kCounter, "reason", "Gaps (weir:gap) that clients were told of, by reason."},
    {"weir_heartbeats_total", kCounter, nullptr, "Comment lines sent into silence."},
    {"weir_slow_clients", kGauge, nullptr, "Clients that lag behind their channels now."},
    {"weir_invalid_utf8_total", kCounter, nullptr,
     "Byte sequences that were not UTF-8 and were replaced by U+FFFD."},
    {"weir_not_envelopes_total", kCounter, nullptr,
     "Payloads that were no message envelope on channels where all should be (envelope = always)."},
    {"weir_frame_bytes", kGauge, nullptr, "Bytes of the frames held for all channels."},
    {"weir_frame_bytes_limit", kGauge, nullptr, "What weir_frame_bytes may be (memory-limit)."},
    {"weir_held_bytes", kGauge, nullptr,
     "Bytes that streams hold beside the logs: frames that a slow socket took a part of, and bytes of their "
     "own."},
    {"weir_held_bytes_limit", kGauge, nullptr,
     "What weir_held_bytes may be; past it the streams that have been stuck for longest are closed."},
    {"weir_frames_evicted_total", kCounter, nullptr,
     "Frames forgotten early because memory-limit was reached."},
    {"weir_redis_up", kGauge, nullptr,
     "1 while the connections to Redis answer (always 1 without Redis), else 0."},
    {"weir_redis_reconnects_total", kCounter, nullptr, "Times the subscribing connection to Redis was lost."},
    {"weir_redis_subscriptions_wanted", kGauge, nullptr, "Subscriptions (channels and patterns) asked for."},
    {"weir_redis_subscriptions_acknowledged", kGauge, nullptr,
     "Of these, confirmed on the present connection."},
    {"weir_publishes_total", kCounter, "outcome", "Publishes over HTTP, by outcome."},
    {"weir_publishes_waiting", kGauge, nullptr, "Publishes that wait for Redis now."},
    {"weir_http_requests_total", kCounter, "code", "HTTP requests answered, by status code."},
    {"weir_http_refused_total", kCounter, "reason", "HTTP requests and streams refused, by reason."},
    {"weir_keys", kGauge, nullptr, "Keys that tokens are checked with now."},
    {"weir_key_reloads_total", kCounter, "outcome",
     "Times a file of keys had changed and was read again, by outcome."},
    {"weir_http_requests_in_progress", kGauge, nullptr,
     "HTTP requests in progress now, streams not counted."},
    {"weir_http_connections", kGauge, nullptr, "HTTP connections open now, streams not counted."},
    {"weir_http_accept_pauses_total", kCounter, nullptr,
     "Times that no connection was accepted for a moment, since no descriptor was left for one."},
    {"weir_http_request_bytes", kGauge, nullptr,
     "Bytes of the HTTP requests that are not answered yet, messages that wait for Redis among them."},
    {"weir_log_lines_lost_total", kCounter, nullptr,
     "Lines of the log that were dropped, since nobody read the standard error stream."},
    {"weir_access_log_left_out_total", kCounter, nullptr,
     "Starts and ends of streams that were not logged (access-log-per-second)."},
}};

namespace {

const MetricRow& row_of(Metric metric) { return kMetrics[static_cast<std::size_t>(metric)]; }

prometheus::MetricType prometheus_type(MetricType type) {
  switch (type) {
    case kCounter:
      return prometheus::MetricType::Counter;
    case kGauge:
      return prometheus::MetricType::Gauge;
    case kHistogram:
      break;
  }
  return prometheus::MetricType::Histogram;
}

prometheus::ClientMetric client_metric(const MetricRow& row, const std::string& label, double value) {
  prometheus::ClientMetric metric;
  if (row.label != nullptr) metric.label.push_back({row.label, label});
  (row.type == kCounter ? metric.counter.value : metric.gauge.value) = value;
  return metric;
}

prometheus::ClientMetric client_metric(const DeliveryHistogram& delivery) {
  prometheus::ClientMetric metric;
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < kDeliveryBounds.size(); ++i) {
    count += delivery.buckets[i];
    metric.histogram.bucket.push_back({count, kDeliveryBounds[i]});
  }
  // No bucket for the rest: the serializer adds it, from sample_count.
  metric.histogram.sample_count = count + delivery.buckets.back();
  metric.histogram.sample_sum = delivery.sum_seconds;
  return metric;
}

const char* type_name(MetricType type) {
  switch (type) {
    case kCounter:
      return "counter";
    case kGauge:
      return "gauge";
    case kHistogram:
      break;
  }
  return "histogram";
}

}  // namespace

void MetricsPage::add(Metric metric, double value, std::string_view label) {
  assert(row_of(metric).type != kHistogram && (row_of(metric).label != nullptr || label.empty()));
  values_[{metric, std::string(label)}] += value;
}

void MetricsPage::add(Metric metric, const DeliveryHistogram& histogram) {
  assert(row_of(metric).type == kHistogram);
  auto& sum = histograms_[metric];
  for (std::size_t i = 0; i < sum.buckets.size(); ++i) sum.buckets[i] += histogram.buckets[i];
  sum.sum_seconds += histogram.sum_seconds;
}

struct Metrics::State {
  Mutex mutex;  // Leaf lock: sources run without it.
  std::vector<Source> sources GUARDED_BY(mutex);
  MetricsPage counted GUARDED_BY(mutex);
};

Metrics::Metrics() : state_(std::make_unique<State>()) {}
Metrics::~Metrics() = default;

void Metrics::add_source(Source source) {
  const MutexLock lock(state_->mutex);
  state_->sources.push_back(std::move(source));
}

void Metrics::count(Metric metric, std::string_view label, std::uint64_t n) {
  const MutexLock lock(state_->mutex);
  state_->counted.add(metric, static_cast<double>(n), label);
}

std::string Metrics::render() const {
  std::vector<Source> sources;
  MetricsPage page;
  {
    const MutexLock lock(state_->mutex);
    sources = state_->sources;
    page = state_->counted;
  }
  for (const auto& source : sources) source(page);
  // Begin each reason's series at 0: an alert on a rate misses a gap that is a series' first value.
  for (std::size_t i = 0; i < kGapReasons; ++i)
    page.add(Metric::kGaps, 0, gap_reason_name(static_cast<GapReason>(i)));

  std::vector<prometheus::MetricFamily> families;
  for (std::size_t i = 0; i < kMetrics.size(); ++i) {
    const auto metric = static_cast<Metric>(i);
    const auto& row = kMetrics[i];
    prometheus::MetricFamily family{row.name, row.help, prometheus_type(row.type), {}};
    if (row.type == kHistogram) {
      family.metric.push_back(client_metric(page.histograms_[metric]));
    } else {
      if (row.label == nullptr) page.add(metric, 0);
      for (auto at = page.values_.lower_bound({metric, ""});
           at != page.values_.end() && at->first.first == metric; ++at) {
        family.metric.push_back(client_metric(row, at->first.second, at->second));
      }
    }
    families.push_back(std::move(family));
  }
  return prometheus::TextSerializer().Serialize(families);
}

std::string metrics_markdown() {
  std::string result =
      "# Metrics of weir-broker\n\nMade from the table in the code; `GET /metrics` on `--admin-listen` shows "
      "them.\n\n"
      "| Metric | Type | Label | Meaning |\n| --- | --- | --- | --- |\n";
  for (const auto& row : kMetrics) {
    const auto label = row.label == nullptr ? std::string() : "`" + std::string(row.label) + "`";
    result += "| `" + std::string(row.name) + "` | " + type_name(row.type) + " | " + label + " | " +
              row.help + " |\n";
  }
  return result;
}

}  // namespace weir
