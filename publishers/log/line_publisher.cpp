#include "publishers/log/line_publisher.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <utility>

#include "process/readable.h"
#include "process/stop.h"

namespace weir {
namespace {

// A burst of this size leaves at once: what a program writes in a moment is not held up.
constexpr std::uint64_t kBurstBytes = 4 << 20;
constexpr std::chrono::seconds kWaitMax{1};
// A piece is no shorter than this: a receiver that takes less takes nothing of use.
constexpr std::size_t kPieceBytesMin = 64;

template <typename T>
void remove_first(std::vector<T>& items, std::size_t count) {
  items.erase(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(std::min(count, items.size())));
}

std::vector<std::string> keys_of(const std::vector<Line>& lines) {
  std::vector<std::string> keys;
  keys.reserve(lines.size());
  for (const Line& line : lines) keys.push_back(idempotency_key(line.place, line.text.size()));
  return keys;
}

void remove_first_of(LinePublisher::Batch& batch, std::size_t count) {
  remove_first(batch.lines, count);
  remove_first(batch.messages, count);
  remove_first(batch.keys, count);
}

}  // namespace

LinePublisher::LinePublisher(const Work& work, std::uint64_t bytes_per_second, std::function<void()> on_wait)
    : work_(work),
      on_wait_(std::move(on_wait)),
      rate_(bytes_per_second),
      pacer_(bytes_per_second, kBurstBytes) {}

LinePublisher::Batch LinePublisher::encode(std::vector<Line> lines, const LineEncoder& encoder,
                                           bool has_keys) {
  Batch batch;
  batch.messages.reserve(lines.size());
  for (const Line& line : lines) batch.messages.push_back(encoder.encode(line));
  if (has_keys) batch.keys = keys_of(lines);
  batch.lines = std::move(lines);
  return batch;
}

bool LinePublisher::await_turn(const Batch& batch, const std::stop_token& stop) {
  if (rate_ == 0) return !stop.stop_requested();
  const auto bytes = std::accumulate(batch.messages.begin(), batch.messages.end(), std::uint64_t{0},
                                     [](std::uint64_t sum, const auto& each) { return sum + each.size(); });
  const auto at = pacer_.take(bytes, Pacer::Clock::now());
  for (;;) {
    const auto now = Pacer::Clock::now();
    if (!wait_until(std::min(at, now + kWaitMax), stop)) return false;
    if (at <= now + kWaitMax) return true;
    if (on_wait_) on_wait_();
  }
}

std::string LinePublisher::pace_text() const {
  return rate_ == 0 ? "" : " at " + bytes_text(rate_) + "/s (--rate)";
}

Publisher::Ending LinePublisher::publish(const std::string& channel, Batch& batch, const LineEncoder& encoder,
                                         const std::stop_token& stop, const WhileWaiting& while_waiting) {
  bool has_waited = false;
  const WhileWaiting wait_once = [&] {
    if (!std::exchange(has_waited, true) && while_waiting) while_waiting();
  };
  for (;;) {
    const auto progress =
        work_.publisher.publish(channel, Messages(batch.messages, batch.keys), stop, wait_once);
    remove_first_of(batch, progress.settled);
    if (progress.ending != Publisher::Ending::kTooLarge) return progress.ending;
    cut_first(batch, encoder);
  }
}

void LinePublisher::cut_first(Batch& batch, const LineEncoder& encoder) {
  const Line line = batch.lines.front();
  const bool has_keys = !batch.keys.empty();
  remove_first_of(batch, 1);
  const std::size_t half = line.text.size() / 2;
  if (half < kPieceBytesMin || !encoder.can_be_cut(line)) {
    spdlog::warn("skipped a line of {} bytes: the receiver takes no message of that size", line.text.size());
    work_.metrics.add_too_large(1);
    return;
  }
  // Not by exact halves: the middle may be inside a character.
  LineSplitter splitter(half + 1);
  std::vector<Line> pieces;
  splitter.add(line.text, pieces);
  splitter.finish(pieces);
  // A line may end in a CR of its own, which the splitter takes for a line end's.
  if (line.text.ends_with('\r') && !pieces.back().text.ends_with('\r')) pieces.back().text += '\r';
  for (Line& piece : pieces) {
    piece.continues = true;
    const auto start = static_cast<std::uint32_t>(piece.place.offset);  // In the text.
    piece.place = line.place;
    piece.place.cut += start;
  }
  pieces.back().continues = line.continues;
  const Batch cut = encode(std::move(pieces), encoder, has_keys);
  batch.lines.insert(batch.lines.begin(), cut.lines.begin(), cut.lines.end());
  batch.messages.insert(batch.messages.begin(), cut.messages.begin(), cut.messages.end());
  batch.keys.insert(batch.keys.begin(), cut.keys.begin(), cut.keys.end());
}

}  // namespace weir
