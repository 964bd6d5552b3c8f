// Publishes messages to channels, across the sink's losses of its connection.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <stop_token>
#include <string>

#include "process/backoff.h"
#include "publishers/delivery/sink.h"

namespace weir {

// The treatment of messages that may have been published (Outcome::kUnknown). No choice is exact, so it is a
// setting, and each case is counted and logged.
enum class UnknownPolicy {
  // Publish them again: none is lost, some may come twice (at least once). On a durable channel those with an
  // idempotency key come once.
  kRepeat,
  kSkip,  // Go on after them: none comes twice, some may be lost (at most once).
};

// Threads:  one. Any other may request a stop, and ask for the counts.
// Failures: logged, each new reason once. Waits between attempts for a doubling, jittered time.
class Publisher {
 public:
  struct Options {
    // Settings. CommonSettings (program.h) holds their defaults.
    std::chrono::seconds retry;  // How long a failure may last before it gives up; 0: for ever.
    UnknownPolicy unknown;

    // Not settings: tests shorten them.
    std::chrono::milliseconds backoff_first{100};
    std::chrono::milliseconds backoff_max{3'000};
  };
  enum class Ending {
    kDone,
    kStopped,  // A stop was requested.
    kGaveUp,   // Refused, or failing for longer than `retry`; the reason is logged.
    // The first payload that is not settled is larger than the receiver takes; its reason is logged. What
    // follows it may still be published.
    kTooLarge,
  };
  struct Progress {
    Ending ending = Ending::kDone;
    std::size_t settled = 0;  // The first payloads, published or given up.
  };
  struct Counts {
    std::uint64_t published = 0;        // Confirmed.
    std::uint64_t published_bytes = 0;  // Their payloads; the end of a channel has none.
    std::uint64_t known = 0;     // Of these, messages that were there already: their key had been used.
    std::uint64_t repeated = 0;  // Sent again after an unknown outcome: may be there twice.
    std::uint64_t skipped = 0;   // Not sent again after an unknown outcome: may be lost.
    std::uint64_t failures = 0;  // Attempts that did not publish all they had.
    bool is_up = true;           // False from such an attempt until the next one that succeeds.
  };

  Publisher(std::unique_ptr<Sink> sink, const Options& options);

  // Publishes `messages` to `channel`, in order. Returns when all are settled, or when it can't go on. Calls
  // `while_waiting` at most once, when everything has been sent and the answers are under way: the time to
  // prepare the next payloads.
  Progress publish(const std::string& channel, const Messages& messages, const std::stop_token& stop,
                   const WhileWaiting& while_waiting = {});
  Ending publish(const std::string& channel, const std::string& payload, const std::stop_token& stop) {
    return publish(channel, Messages({&payload, 1}), stop).ending;
  }
  // `key` is the end's idempotency key; empty for none.
  Ending publish_end(const std::string& channel, const std::string& key, const std::stop_token& stop);

  // Any thread may ask.
  Counts counts() const;

 private:
  using Clock = std::chrono::steady_clock;
  using Attempt = std::function<BatchResult(std::size_t settled)>;

  Progress run(std::size_t total, bool has_keys, const Attempt& attempt, const std::stop_token& stop);
  // Returns how many messages the attempt settled. After a stop those of unknown outcome are, unless they have keys and
  // may be repeated.
  std::size_t account(const BatchResult& result, bool has_keys);
  // Waits before the next attempt. Returns how to end if there is none.
  std::optional<Ending> wait_after(const BatchResult& result, const std::stop_token& stop);

  const std::unique_ptr<Sink> sink_;
  const Options options_;
  struct Counters {
    std::atomic<std::uint64_t> published = 0;
    std::atomic<std::uint64_t> published_bytes = 0;
    std::atomic<std::uint64_t> known = 0;
    std::atomic<std::uint64_t> repeated = 0;
    std::atomic<std::uint64_t> skipped = 0;
    std::atomic<std::uint64_t> failures = 0;
    std::atomic<bool> is_up = true;
  } counters_;
  Backoff backoff_;
  std::minstd_rand random_;
  std::optional<Clock::time_point> failing_since_;
  std::string last_error_;
  std::string last_too_large_;  // The reason that was logged for a message that is too large.
};

}  // namespace weir
