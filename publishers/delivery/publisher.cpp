#include "publishers/delivery/publisher.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "process/stop.h"

namespace weir {
namespace {

// The most that one attempt sends: it bounds how many messages can have an unknown outcome at once.
constexpr std::size_t kBatchMessagesMax = 1'024;
constexpr std::size_t kBatchBytesMax = 256 << 10;

// The longest batch from the message `first` on within the limits, but at least one message.
Messages batch_of(const Messages& messages, std::size_t first) {
  const std::size_t most =
      std::min(messages.size() - first, messages.has_keys() ? kKeyedMessagesMax : kBatchMessagesMax);
  std::size_t count = 0;
  std::size_t bytes = 0;
  while (count < most) {
    bytes += messages.payload(first + count).size();
    if (count > 0 && bytes > kBatchBytesMax) break;
    ++count;
  }
  return messages.part(first, count);
}

std::uint64_t bytes_of(std::span<const std::string> payloads) {
  return std::accumulate(payloads.begin(), payloads.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const std::string& payload) { return sum + payload.size(); });
}

}  // namespace

Publisher::Publisher(std::unique_ptr<Sink> sink, const Options& options)
    : sink_(std::move(sink)),
      options_(options),
      backoff_(options_.backoff_first, options_.backoff_max, Backoff::Jitter::kHalf),
      random_(std::random_device{}()) {}

Publisher::Progress Publisher::publish(const std::string& channel, const Messages& messages,
                                       const std::stop_token& stop, const WhileWaiting& while_waiting) {
  bool has_waited = false;
  return run(
      messages.size(), messages.has_keys(),
      [&](std::size_t settled) {
        const Messages batch = batch_of(messages, settled);
        const bool is_last = settled + batch.size() == messages.size();
        WhileWaiting once;
        if (while_waiting && is_last && !has_waited) {
          once = [&] {
            has_waited = true;
            while_waiting();
          };
        }
        BatchResult result = sink_->publish(channel, batch, stop, once);
        counters_.published_bytes += bytes_of(batch.payloads().first(result.confirmed));
        return result;
      },
      stop);
}

Publisher::Ending Publisher::publish_end(const std::string& channel, const std::string& key,
                                         const std::stop_token& stop) {
  return run(
             1, !key.empty(), [&](std::size_t) { return sink_->publish_end(channel, key, stop); }, stop)
      .ending;
}

Publisher::Progress Publisher::run(std::size_t total, bool has_keys, const Attempt& attempt,
                                   const std::stop_token& stop) {
  std::size_t settled = 0;
  while (settled < total) {
    const BatchResult result = attempt(settled);
    settled += account(result, has_keys);
    if (result.outcome == Outcome::kPublished) {
      if (failing_since_) spdlog::info("publishing again");
    }
    if (result.confirmed > 0) {
      failing_since_.reset();
      backoff_.reset();
      last_error_.clear();
    }
    if (result.outcome == Outcome::kPublished) continue;
    if (const auto ending = wait_after(result, stop)) return {*ending, settled};
  }
  return {Ending::kDone, settled};
}

std::size_t Publisher::account(const BatchResult& result, bool has_keys) {
  counters_.published += result.confirmed;
  counters_.known += result.known;
  // A stop is no failure, and neither is a message of the wrong size.
  if (result.outcome != Outcome::kStopped) {
    const bool is_up = result.outcome == Outcome::kPublished || result.outcome == Outcome::kTooLarge;
    counters_.is_up = is_up;
    if (!is_up) ++counters_.failures;
  }
  if (result.unknown == 0) return result.confirmed;
  const bool may_repeat = options_.unknown == UnknownPolicy::kRepeat;
  const bool is_stopped = result.outcome == Outcome::kStopped;
  // What has a key does no harm when it is sent again: the caller may, in the time that a stop leaves.
  if (may_repeat && is_stopped && has_keys) return result.confirmed;
  const bool is_repeated = may_repeat && !is_stopped;
  (is_repeated ? counters_.repeated : counters_.skipped) += result.unknown;
  const char* const what = !is_repeated ? "not publishing them again, they may be lost"
                           : has_keys   ? "publishing them again, on a durable channel none comes twice"
                                        : "publishing them again, they may come twice";
  spdlog::warn("the outcome of {} messages is unknown: {}", result.unknown, what);
  return result.confirmed + (is_repeated ? 0 : result.unknown);
}

Publisher::Counts Publisher::counts() const {
  return {.published = counters_.published,
          .published_bytes = counters_.published_bytes,
          .known = counters_.known,
          .repeated = counters_.repeated,
          .skipped = counters_.skipped,
          .failures = counters_.failures,
          .is_up = counters_.is_up};
}

std::optional<Publisher::Ending> Publisher::wait_after(const BatchResult& result,
                                                       const std::stop_token& stop) {
  if (result.outcome == Outcome::kStopped) return Ending::kStopped;
  if (result.outcome == Outcome::kTooLarge) {
    if (result.error != last_too_large_) spdlog::warn("{}", result.error);
    last_too_large_ = result.error;
    return Ending::kTooLarge;
  }
  if (result.outcome == Outcome::kRefused) {
    spdlog::error("refused: {}", result.error);
    return Ending::kGaveUp;
  }
  const auto now = Clock::now();
  if (!failing_since_) failing_since_ = now;
  const auto give_up_at = *failing_since_ + options_.retry;
  const bool is_limited = options_.retry.count() > 0;
  if (is_limited && now >= give_up_at) {
    spdlog::error("gave up after {} s: {}", options_.retry.count(), result.error);
    return Ending::kGaveUp;
  }
  // One line for each new reason, not one for each attempt.
  if (result.error != last_error_) spdlog::warn("{}; trying again", result.error);
  last_error_ = result.error;
  const double random =
      static_cast<double>(random_() - random_.min()) / (random_.max() - random_.min() + 1.0);
  auto next = now + backoff_.next(random);
  if (is_limited) next = std::min(next, give_up_at);
  if (!wait_until(next, stop)) return Ending::kStopped;
  return std::nullopt;
}

}  // namespace weir
