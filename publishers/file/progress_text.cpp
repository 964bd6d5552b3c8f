#include "publishers/file/progress_text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace weir {
namespace {

constexpr std::size_t kBarColumnsMin = 8;
constexpr std::size_t kBarColumnsMax = 40;
// The time that the rate is smoothed over.
constexpr double kSmoothSeconds = 3;
// A time left past this is no news.
constexpr double kSecondsLeftMax = 359'999;

struct Unit {
  double bytes;
  const char* name;
};

Unit unit_of(double bytes) {
  constexpr std::array<Unit, 3> kUnits{{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}}};
  for (const auto& unit : kUnits) {
    if (bytes >= unit.bytes) return unit;
  }
  return {1, "B"};
}

std::string number(double value, const Unit& unit) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit.bytes > 1 ? "%.1f" : "%.0f", value / unit.bytes);
  return text.data();
}

std::string time_left(double seconds) {
  const auto all = static_cast<long>(std::ceil(std::min(seconds, kSecondsLeftMax)));
  if (all < 60) return std::to_string(all) + " s left";
  if (all < 3'600) return std::to_string(all / 60) + " min " + std::to_string(all % 60) + " s left";
  return std::to_string(all / 3'600) + " h " + std::to_string(all / 60 % 60) + " min left";
}

}  // namespace

std::string progress_text(const Progress& progress, std::size_t columns) {
  const auto done = static_cast<double>(progress.done);
  const auto total = static_cast<double>(progress.total);
  const double part = progress.total == 0 ? 1 : std::min(1.0, done / total);
  const auto percent = std::to_string(static_cast<int>(part * 100));
  std::string text = std::string(3 - percent.size(), ' ') + percent + " %";
  const auto unit = unit_of(total);
  std::string more = "  " + number(done, unit) + " of " + number(total, unit) + " " + unit.name;
  if (progress.bytes_per_second >= 1) {
    const auto per = unit_of(progress.bytes_per_second);
    more += "  " + number(progress.bytes_per_second, per) + " " + per.name + "/s  " +
            time_left(std::max(0.0, total - done) / progress.bytes_per_second);
  }
  if (text.size() + more.size() <= columns) text += more;
  constexpr std::size_t kBrackets = 3;  // And a space.
  if (columns >= text.size() + kBrackets + kBarColumnsMin) {
    const auto bar = std::min(kBarColumnsMax, columns - text.size() - kBrackets);
    const auto filled = static_cast<std::size_t>(part * static_cast<double>(bar));
    text = "[" + std::string(filled, '=') + std::string(bar - filled, ' ') + "] " + text;
  }
  return text.substr(0, columns);
}

double RateMeter::add(std::uint64_t done, Clock::time_point now) {
  const double seconds = std::chrono::duration<double>(now - last_).count();
  if (!has_begun_ || done < done_) {  // Another file begins at 0.
    *this = RateMeter();
    has_begun_ = true;
  } else if (seconds > 0) {
    const double fade = std::exp(-seconds / kSmoothSeconds);
    rate_ = rate_ * fade + static_cast<double>(done - done_) / seconds * (1 - fade);
    weight_ = weight_ * fade + (1 - fade);
  } else {
    return weight_ > 0 ? rate_ / weight_ : 0;
  }
  last_ = now;
  done_ = done;
  return weight_ > 0 ? rate_ / weight_ : 0;
}

}  // namespace weir
