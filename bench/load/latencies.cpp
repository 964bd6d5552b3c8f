#include "bench/load/latencies.h"

#include <algorithm>
#include <boost/histogram.hpp>
#include <tuple>

namespace weir::bench {

namespace {

namespace bh = boost::histogram;
using Axis = bh::axis::regular<double, bh::axis::transform::log>;

constexpr double kMinMs = 0.001;
constexpr double kMaxMs = 100'000;
constexpr unsigned kBins = 1852;  // ln(kMaxMs / kMinMs) / ln(1.01).

}  // namespace

struct Latencies::Histogram {
  bh::histogram<std::tuple<Axis>, bh::dense_storage<std::uint64_t>> bins =
      bh::make_histogram_with(bh::dense_storage<std::uint64_t>(), Axis(kBins, kMinMs, kMaxMs));
  std::uint64_t count = 0;
  double max_ms = 0;
};

Latencies::Latencies() : histogram_(std::make_unique<Histogram>()) {}
Latencies::~Latencies() = default;
Latencies::Latencies(Latencies&&) noexcept = default;
Latencies& Latencies::operator=(Latencies&&) noexcept = default;

void Latencies::add(std::int64_t ns) {
  const double ms = std::max(static_cast<double>(ns) / 1e6, kMinMs);
  histogram_->bins(ms);
  ++histogram_->count;
  histogram_->max_ms = std::max(histogram_->max_ms, ms);
}

void Latencies::add(const Latencies& other) {
  histogram_->bins += other.histogram_->bins;
  histogram_->count += other.histogram_->count;
  histogram_->max_ms = std::max(histogram_->max_ms, other.histogram_->max_ms);
}

std::uint64_t Latencies::count() const { return histogram_->count; }

double Latencies::milliseconds_at(double part) const {
  const auto wanted = static_cast<std::uint64_t>(part * static_cast<double>(histogram_->count));
  std::uint64_t below = 0;
  for (auto&& bin : bh::indexed(histogram_->bins)) {
    below += *bin;
    if (below > wanted) return std::min(bin.bin().upper(), histogram_->max_ms);
  }
  return histogram_->max_ms;
}

double Latencies::milliseconds_max() const { return histogram_->max_ms; }

}  // namespace weir::bench
