#include "publishers/demo/load.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cassert>
#include <chrono>
#include <limits>
#include <vector>

#include "process/stop.h"
#include "publishers/delivery/pacer.h"
#include "publishers/demo/stamp.h"

namespace weir {
namespace {

using Clock = Pacer::Clock;

constexpr std::uint64_t kWindowBytesMax = 256 << 10;
constexpr std::uint64_t kWindowMessagesMax = 1'024;
// A window is at most this part of a second, so that messages leave evenly.
constexpr std::uint64_t kWindowsPerSecond = 200;
constexpr std::chrono::seconds kReportPause{10};

std::uint64_t window_messages(const LoadOptions& options) {
  const auto most = std::min<std::uint64_t>(kWindowMessagesMax, kWindowBytesMax / options.size);
  return std::clamp<std::uint64_t>(options.rate / kWindowsPerSecond, 1, std::max<std::uint64_t>(most, 1));
}

// Says so if the messages since the last report were fewer than asked for.
class Report {
 public:
  explicit Report(std::uint64_t rate) : rate_(rate) {}
  void add(std::uint64_t count, Clock::time_point now) {
    count_ += count;
    const double seconds = std::chrono::duration<double>(now - since_).count();
    if (now - since_ < kReportPause) return;
    const double rate = static_cast<double>(count_) / seconds;
    if (rate < 0.95 * static_cast<double>(rate_)) {
      spdlog::warn("{:.0f} messages per second, not {}: the receiver takes no more", rate, rate_);
    }
    since_ = now;
    count_ = 0;
  }

 private:
  const std::uint64_t rate_;
  std::uint64_t count_ = 0;
  Clock::time_point since_ = Clock::now();
};

}  // namespace

std::string load_message(std::uint64_t n, std::uint64_t time_ms, std::size_t size) {
  assert(size >= kLoadMessageBytesMin);
  const std::string tail = R"(","n":)" + std::to_string(n) + R"(,"time":)" + std::to_string(time_ms) + "}";
  std::string text = R"({"msg":")";
  text.reserve(size);
  text.append(size - text.size() - tail.size(), 'x');
  return text += tail;
}

Publisher::Ending publish_load(Publisher& publisher, const std::string& channel, const LoadOptions& options,
                               const std::stop_token& stop) {
  Pacer pacer(options.rate);  // Of messages.
  Report report(options.rate);
  const auto last = options.count == 0 ? std::numeric_limits<std::uint64_t>::max() : options.count;
  const auto window = window_messages(options);
  std::vector<std::string> payloads;
  for (std::uint64_t done = 0; done < last;) {
    const auto count = std::min(window, last - done);
    if (!wait_until(pacer.take(count, Clock::now()), stop)) return Publisher::Ending::kStopped;
    payloads.clear();
    const auto time = now_ms();
    for (std::uint64_t i = 1; i <= count; ++i) payloads.push_back(load_message(done + i, time, options.size));
    const auto ending = publisher.publish(channel, payloads, stop, {}).ending;
    if (ending == Publisher::Ending::kTooLarge) {
      spdlog::error("messages of {} bytes are larger than the receiver takes: lower --size", options.size);
    }
    if (ending != Publisher::Ending::kDone) return ending;
    done += count;
    report.add(count, Clock::now());
  }
  return Publisher::Ending::kDone;
}

}  // namespace weir
