#include "broker/base/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <cassert>
#include <sstream>

#include "broker/base/mutex.h"

namespace weir {
namespace {

constexpr auto kCounter = MetricType::kCounter;
constexpr auto kGauge = MetricType::kGauge;
constexpr auto kHistogram = MetricType::kHistogram;

// Each of these lists is that of an enum in another folder; tests compare them.
constexpr const char* kGapNames = "slow-client bus-down history memory too-large reset";
constexpr const char* kCloseNames =
    "client-gone end drain max-stream slow-client stuck refused shutdown token-expired memory";
constexpr const char* kOutcomeNames = "delivered unavailable unknown refused";
constexpr const char* kStatusNames =
    "200 202 204 304 308 400 401 403 404 405 406 408 413 414 415 417 429 431 500 501 502 503 504 505";
constexpr const char* kRefusalNames =
    "bad-request head-bytes head-seconds body-seconds too-large requests request-memory "
    "request-memory-slowest "
    "request-memory-per-address clients clients-per-address connects-per-second draining channels "
    "channels-per-client host origin subscribe-rule publish-rule token-missing token-bad token-scope "
    "bus-unavailable bus-unknown bus-refused";

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, at);) parts.push_back(part);
  return parts;
}

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
    {"weir_streams_closed_total", kCounter, "reason", "Streams that ended, by reason.", kCloseNames},
    {"weir_stream_start_seconds", kHistogram, nullptr,
     "From a stream's whole request to its response head; the wait for Redis to confirm new channels is in "
     "it."},
    {"weir_messages_in_total", kCounter, nullptr, "Messages that arrived from the bus."},
    {"weir_message_bytes_in_total", kCounter, nullptr, "Bytes of the payloads of these messages."},
    {"weir_messages_out_total", kCounter, nullptr,
     "Messages written to clients: one message to ten clients is ten."},
    {"weir_bytes_out_total", kCounter, nullptr, "Bytes written to the sockets of clients."},
    {"weir_delivery_seconds", kHistogram, nullptr,
     "From a message's arrival from the bus to the last socket write of its batch, to clients that keep up; "
     "observed once per batch and shard."},
    {"weir_lag_seconds", kHistogram, nullptr,
     "How long the oldest message that a slow client lacks has been here, each time that its full socket "
     "takes more."},
    {"weir_gaps_total", kCounter, "reason", "Gaps (weir:gap) that clients were told of, by reason.",
     kGapNames},
    {"weir_missed_messages_total", kCounter, "reason",
     "Messages missed in these gaps, by reason. Gaps whose number is unknown (weir:gap with missed null) are "
     "in weir_gaps_total alone.",
     kGapNames},
    {"weir_heartbeats_total", kCounter, nullptr, "Comment lines sent into silence."},
    {"weir_slow_clients", kGauge, nullptr, "Clients that lag behind their channels now."},
    {"weir_waiting_messages", kGauge, nullptr,
     "Messages that wait for slow clients, counted for each of them; up to a second old."},
    {"weir_waiting_bytes", kGauge, nullptr,
     "Bytes of these messages, which take memory once, whatever the number of clients that lack them."},
    {"weir_invalid_utf8_total", kCounter, nullptr,
     "Byte sequences that were not UTF-8 and were replaced by U+FFFD."},
    {"weir_not_envelopes_total", kCounter, nullptr,
     "Payloads that were no message envelope on channels where all should be (envelope = always)."},
    {"weir_memory_bytes", kGauge, "holder",
     "Memory of the process by what holds it, without overlaps. history: the frames in the channels' logs "
     "and in pages. "
     "sending: weir_held_bytes. requests: weir_http_request_bytes. channels and streams: estimates, a fixed "
     "size for each.",
     "history sending requests channels streams"},
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
    {"weir_redis_reached", kGauge, nullptr,
     "1 once Redis has answered since the start (always 1 without Redis), else 0."},
    {"weir_redis_reconnects_total", kCounter, nullptr, "Times the subscribing connection to Redis was lost."},
    {"weir_redis_round_trip_seconds", kHistogram, "connection",
     "From a command to Redis' answer: each PING (every 5 s), each PUBLISH and FCALL on the publisher "
     "connection, and each read on the history connection, which only durable channels and followed streams "
     "have.",
     "subscriber publisher history"},
    {"weir_history_entries_total", kCounter, "way",
     "Entries of streams that came to the logs of durable channels and followed streams, by the way they "
     "came: "
     "announced by weir_publish, followed by XREAD, or filled in from the stream after a loss. repeated: "
     "announced, "
     "and there already.",
     "announced followed filled repeated"},
    {"weir_history_pages", kGauge, nullptr, "Pages of history at hand for readers that are behind."},
    {"weir_history_page_bytes", kGauge, nullptr, "Bytes of their frames."},
    {"weir_history_page_bytes_limit", kGauge, nullptr,
     "What weir_history_page_bytes may be, a quarter of memory-limit; the pages unused for longest go "
     "first."},
    {"weir_history_pages_read_total", kCounter, nullptr, "Pages of history read from Redis."},
    {"weir_history_pages_found_total", kCounter, nullptr,
     "Times that a reader found the page it needed at hand."},
    {"weir_history_queries_in_progress", kGauge, nullptr,
     "Requests for a page of history over HTTP (/channels/{channel}/messages) in progress now."},
    {"weir_history_waiting", kGauge, nullptr,
     "Reads of streams that wait for their turn, or for Redis to come back."},
    {"weir_history_announcements_forged_total", kCounter, nullptr,
     "Announcements of entries that a durable channel's stream has not got. They are left out."},
    {"weir_history_announcements_lost_total", kCounter, nullptr,
     "Times that a quiet durable channel's stream had an entry whose announcement had not come. It was read "
     "then."},
    {"weir_history_plain_messages_total", kCounter, nullptr,
     "Plain messages (PUBLISH) on durable channels: who is there gets them, without an id, and nobody "
     "later."},
    {"weir_redis_history_reads_total", kCounter, nullptr,
     "Reads of streams that Redis has answered, for durable channels and followed streams."},
    {"weir_redis_history_reads_waiting", kGauge, nullptr, "Reads of streams that wait for Redis now."},
    {"weir_redis_announcements_invalid_total", kCounter, nullptr,
     "Texts on the announcements of durable channels that weir_publish has not made. They are left out."},
    {"weir_redis_function_checks_total", kCounter, "outcome",
     "Times that the gateway looked for the function weir_publish, by what became of it: it was there, was "
     "installed, could not be (refused), or the connection was lost meanwhile.",
     "present installed refused lost"},
    {"weir_redis_subscriptions_wanted", kGauge, nullptr, "Subscriptions (channels and patterns) asked for."},
    {"weir_redis_subscriptions_acknowledged", kGauge, nullptr,
     "Of these, confirmed on the present connection."},
    {"weir_followed_streams", kGauge, nullptr,
     "Redis Streams of applications (source = stream) followed now."},
    {"weir_followed_connections", kGauge, nullptr,
     "Connections to Redis for them: one, and one for each group of about 100."},
    {"weir_followed_commands_total", kCounter, "kind",
     "Commands for them: XREAD BLOCK of a group, XREAD of one stream alone, XINFO STREAM.",
     "group alone look"},
    {"weir_followed_made_anew_total", kCounter, nullptr,
     "Followed streams that were found deleted, or made anew with lower ids."},
    {"weir_publishes_total", kCounter, "outcome", "Publishes over HTTP, by outcome.", kOutcomeNames},
    {"weir_publishes_waiting", kGauge, nullptr, "Publishes that wait for Redis now."},
    {"weir_http_requests_total", kCounter, "code", "HTTP requests answered, by status code.", kStatusNames},
    {"weir_http_refused_total", kCounter, "reason", "HTTP requests and streams refused, by reason.",
     kRefusalNames},
    {"weir_keys", kGauge, nullptr, "Keys that tokens are checked with now."},
    {"weir_key_reloads_total", kCounter, "outcome",
     "Times a file of keys had changed and was read again, by outcome.", "ok failed"},
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
    {"weir_build_info", kGauge, "version,compiler", "1; the labels say what runs."},
    {"weir_container_memory_bytes", kGauge, nullptr,
     "Memory that counts against the limit of the cgroup, without file pages that can be dropped; 0 without "
     "a "
     "limit."},
    {"weir_container_memory_limit_bytes", kGauge, nullptr,
     "The tightest memory limit of the cgroups that the process is in; 0 without one."},
    {"process_resident_memory_bytes", kGauge, nullptr, "Resident memory of the process."},
    {"process_cpu_seconds_total", kCounter, nullptr, "User and system processor time of the process."},
    {"process_open_fds", kGauge, nullptr, "Open descriptors of the process."},
    {"process_max_fds", kGauge, nullptr, "The most descriptors that the process may open."},
    {"process_start_time_seconds", kGauge, nullptr, "When the process started, in Unix seconds."},
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

prometheus::ClientMetric labelled_metric(const MetricRow& row, const std::string& label) {
  prometheus::ClientMetric metric;
  if (row.label == nullptr) return metric;
  const std::vector<std::string> names = split(row.label, ',');
  if (names.size() == 1) {
    metric.label.push_back({row.label, label});
    return metric;
  }
  const std::vector<std::string> values = split(label, ',');
  assert(names.size() == values.size());
  for (std::size_t i = 0; i < names.size(); ++i) metric.label.push_back({names[i], values[i]});
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

std::vector<std::string> label_values_of(const MetricRow& row) {
  return row.label_values == nullptr ? std::vector<std::string>() : split(row.label_values, ' ');
}

void MetricsPage::add(Metric metric, double value, std::string_view label) {
  assert(row_of(metric).type != kHistogram && (row_of(metric).label != nullptr || label.empty()));
  values_[{metric, std::string(label)}] += value;
}

void MetricsPage::add(Metric metric, const TimeTally& times, std::string_view label) {
  assert(row_of(metric).type == kHistogram && (row_of(metric).label != nullptr || label.empty()));
  Histogram& sum = histograms_[{metric, std::string(label)}];
  for (std::size_t i = 0; i < sum.buckets.size(); ++i) sum.buckets[i] += times.bucket(i);
  sum.sum_seconds += times.sum_seconds();
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

  std::vector<prometheus::MetricFamily> families;
  for (std::size_t i = 0; i < kMetrics.size(); ++i) {
    const auto metric = static_cast<Metric>(i);
    const auto& row = kMetrics[i];
    prometheus::MetricFamily family{row.name, row.help, prometheus_type(row.type), {}};
    std::vector<std::string> from_the_start = label_values_of(row);
    if (row.label == nullptr) from_the_start.emplace_back();
    const auto is_its_own = [&](const auto& values, const auto& at) {
      return at != values.end() && at->first.first == metric;
    };
    if (row.type == kHistogram) {
      auto& values = page.histograms_;
      for (const std::string& label : from_the_start) values[{metric, label}];
      for (auto at = values.lower_bound({metric, ""}); is_its_own(values, at); ++at) {
        family.metric.push_back(labelled_metric(row, at->first.second));
        auto& histogram = family.metric.back().histogram;
        std::uint64_t count = 0;
        for (std::size_t bound = 0; bound < kBoundsMicros.size(); ++bound) {
          count += at->second.buckets[bound];
          histogram.bucket.push_back({count, static_cast<double>(kBoundsMicros[bound]) / 1e6});
        }
        // No bucket for the rest: the serializer adds it, from sample_count.
        histogram.sample_count = count + at->second.buckets.back();
        histogram.sample_sum = at->second.sum_seconds;
      }
    } else {
      auto& values = page.values_;
      for (const std::string& label : from_the_start) values[{metric, label}] += 0;
      for (auto at = values.lower_bound({metric, ""}); is_its_own(values, at); ++at) {
        family.metric.push_back(labelled_metric(row, at->first.second));
        auto& shown = family.metric.back();
        (row.type == kCounter ? shown.counter.value : shown.gauge.value) = at->second;
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
    std::string label;
    for (const std::string& name : split(row.label == nullptr ? "" : row.label, ',')) {
      label += (label.empty() ? "`" : ", `") + name + "`";
    }
    result += "| `" + std::string(row.name) + "` | " + type_name(row.type) + " | " + label + " | " +
              row.help + " |\n";
  }
  result +=
      "\nAll histograms have the same buckets, from 0.1 ms to 60 s. The values of labels; each is on the "
      "page "
      "from the start, at 0:\n\n| Metric | Label | Values |\n| --- | --- | --- |\n";
  for (const auto& row : kMetrics) {
    std::string values;
    for (const std::string& value : label_values_of(row))
      values += (values.empty() ? "`" : ", `") + value + "`";
    if (!values.empty())
      result += "| `" + std::string(row.name) + "` | `" + row.label + "` | " + values + " |\n";
  }
  return result;
}

}  // namespace weir
