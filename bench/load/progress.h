// How far a run has come: which messages are published, and which have reached every client
// that should get them.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

namespace weir::bench {

// Threads: published() on the publisher's thread, received() on the receivers', the rest on any.
class Progress {
 public:
  // Message n goes to channel n modulo clients_of.size(), which has clients_of[channel] clients that count.
  Progress(std::vector<std::uint32_t> clients_of, std::uint32_t in_flight_max);

  std::uint64_t channels() const { return clients_of_.size(); }
  std::uint64_t published() const { return published_.load(std::memory_order_acquire); }
  std::uint64_t completed() const { return completed_.load(std::memory_order_acquire); }

  // False while in_flight_max messages are on their way: published, and not received by all.
  bool can_publish() const;
  bool is_half_free() const { return (published() - completed()) * 2 <= in_flight_max_; }
  // Message published() is about to be sent. Requires can_publish().
  void publish_next();
  // One client has `sequence`, or will never get it. True if it was the last one to.
  bool received(std::uint64_t sequence);

 private:
  const std::vector<std::uint32_t> clients_of_;
  const std::uint32_t in_flight_max_;
  std::vector<std::atomic<std::uint32_t>> missing_;  // Of message n at n modulo the size: clients without it.
  std::atomic<std::uint64_t> published_{0};
  std::atomic<std::uint64_t> completed_{0};
};

}  // namespace weir::bench
