// Publishes the messages of a run, at a rate or as fast as all clients get them.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "bench/load/address.h"
#include "bench/load/progress.h"

namespace weir::bench {

// Threads: one of its own; the public functions on any other.
class Publisher {
 public:
  struct Plan {
    Address address;                    // redis: commands, pipelined. http: POST, one at a time a connection.
    std::vector<std::string> channels;  // Message n goes to channel n modulo their number.
    bool is_durable = false;            // Of redis: FCALL weir_publish, as to durable channels; else PUBLISH.
    std::size_t payload_bytes = 128;
    double rate = 0;  // Messages a second, due at even times; 0: as fast as they are received.
    std::size_t http_connections = 8;
  };

  Publisher(Plan plan, Progress& progress);
  ~Publisher();

  // Any thread: messages have been completed. It goes on when half of what may be on its way is free: a
  // thread that is woken for each message would cost more than what is measured.
  void wake();
  // Publishes nothing more; what is on its way is answered first. Returns what went wrong, or nothing.
  std::string stop();
  std::uint64_t answered() const { return answered_.load(std::memory_order_relaxed); }

 private:
  struct Connection;

  void run();
  // Puts requests for what may be published now into the connections.
  void fill();
  // When the next message is due: now, if there is no rate.
  std::int64_t due_ns() const;
  std::int64_t wait_ns() const;
  void send(Connection& connection);
  void receive(Connection& connection);

  const Plan plan_;
  Progress& progress_;
  const int wakes_;
  std::vector<Connection> connections_;
  std::int64_t start_ns_ = 0;
  std::string error_;
  std::atomic<std::uint64_t> answered_{0};
  std::atomic<bool> is_waiting_{false};
  std::atomic<bool> is_stopped_{false};
  std::thread thread_;
};

}  // namespace weir::bench
