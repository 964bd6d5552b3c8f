#include "publishers/program/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <utility>
#include <vector>

namespace weir {
namespace {

class Page {
 public:
  void counter(const char* name, std::uint64_t value, const char* help) {
    prometheus::ClientMetric metric;
    metric.counter.value = static_cast<double>(value);
    add(name, prometheus::MetricType::Counter, std::move(metric), help);
  }
  void gauge(const char* name, std::uint64_t value, const char* help) {
    prometheus::ClientMetric metric;
    metric.gauge.value = static_cast<double>(value);
    add(name, prometheus::MetricType::Gauge, std::move(metric), help);
  }
  std::string text() const { return prometheus::TextSerializer().Serialize(families_); }

 private:
  void add(const char* name, prometheus::MetricType type, prometheus::ClientMetric metric, const char* help) {
    prometheus::MetricFamily family;
    family.name = std::string("weir_publisher_") + name;
    family.help = help;
    family.type = type;
    family.metric.push_back(std::move(metric));
    families_.push_back(std::move(family));
  }

  std::vector<prometheus::MetricFamily> families_;
};

}  // namespace

std::string ProgramMetrics::text() const {
  const auto counts = publisher_.counts();
  Page page;
  page.counter("messages_published_total", counts.published, "Messages that were confirmed.");
  page.counter("bytes_published_total", counts.published_bytes, "Bytes of the payloads of these messages.");
  page.counter(
      "messages_known_total", counts.known,
      "Of the confirmed messages, those that were there already: their idempotency key had been used.");
  page.counter(
      "messages_repeated_total", counts.repeated,
      "Messages sent again after an unknown outcome: they may have come twice, unless a durable channel "
      "knows their keys.");
  page.counter("messages_skipped_total", counts.skipped,
               "Messages not sent again after an unknown outcome: they may be lost.");
  page.counter("messages_too_large_total", too_large_, "Messages that the receiver found too large.");
  page.counter("failures_total", counts.failures, "Attempts to publish that failed.");
  page.gauge("up", counts.is_up ? 1 : 0,
             "0 from an attempt that failed until the next that succeeds, else 1.");
  page.gauge("behind_bytes", behind_bytes_, "Bytes of the files that were not read yet.");
  page.gauge("files", files_, "Files that are read now.");
  page.counter("read_errors_total", read_errors_, "Reads and opens of files that failed.");
  page.gauge("progress_bytes", progress_bytes_,
             "Bytes of the present file that were published, in all rounds.");
  page.gauge("size_bytes", size_bytes_, "Bytes of the present file, times its rounds.");
  return page.text();
}

}  // namespace weir
