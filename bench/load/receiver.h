// Many SSE connections on one thread: opens them, and checks what each of them gets.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench/load/address.h"
#include "bench/load/latencies.h"
#include "bench/load/progress.h"
#include "bench/load/response.h"
#include "bench/load/stamp.h"

namespace weir::bench {

// What became of the connections and messages of one receiver.
struct Received {
  std::uint64_t opened = 0;      // Connections whose response head has come.
  std::uint64_t failed = 0;      // Connections that were refused, or answered with anything but 200.
  std::uint64_t closed = 0;      // Connections that the server has ended.
  std::uint64_t deliveries = 0;  // Messages that came in their turn.
  std::uint64_t lost = 0;        // Messages that a later one came without, and that have not come since.
  std::uint64_t late = 0;        // Messages that came after a later one.
  std::uint64_t wrong = 0;       // Messages that came again, or of another channel.
  std::uint64_t bytes = 0;
};

// Threads: one of its own; the public functions on any other.
class Receiver {
 public:
  struct Client {
    std::uint32_t channel = 0;
    bool is_stalled = false;  // Reads its head and then nothing; it doesn't count in Progress.
  };
  struct Plan {
    Address address;
    std::vector<std::string> paths;  // By channel.
    std::vector<Client> clients;
    unsigned first_source = 1;  // Of the loopback addresses that connections come from.
    std::size_t connecting_max = 256;
  };

  // `on_completed` is called after one or more messages have reached all their clients;
  // on the receiver's thread.
  Receiver(Plan plan, Progress& progress, std::function<void()> on_completed);
  // Ends the thread and closes all connections.
  ~Receiver();

  // Any time. The counts of one call may be of slightly different moments.
  Received received() const;
  // Latencies of messages that are due from now on are kept.
  void measure_from(std::int64_t due_ns) { measured_from_ns_.store(due_ns, std::memory_order_relaxed); }
  void stop();
  // After stop().
  const Latencies& latencies() const { return latencies_; }
  const std::string& first_error() const { return first_error_; }

 private:
  struct Connection;
  // Written by the thread alone, read by others.
  struct Counts {
    std::atomic<std::uint64_t> opened{0}, failed{0}, closed{0}, deliveries{0}, lost{0}, late{0}, wrong{0},
        bytes{0};
  };

  void run();
  void open_next();
  void on_event(Connection& connection, std::uint32_t events);
  void on_connected(Connection& connection);
  // True if there may be more to read.
  bool read(Connection& connection);
  void on_stamp(Connection& connection, const Stamp& stamp, std::int64_t now);
  void on_stamp_before(Connection& connection, std::uint64_t sequence);
  void fail(Connection& connection, const std::string& reason);
  void close(Connection& connection);

  const Plan plan_;
  Progress& progress_;
  const std::function<void()> on_completed_;
  const int epoll_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<char> buffer_;
  std::size_t connecting_ = 0;
  bool has_completed_ = false;
  Latencies latencies_;
  std::string first_error_;
  std::atomic<std::int64_t> measured_from_ns_;
  Counts counts_;
  std::atomic<bool> is_stopped_{false};
  std::thread thread_;
};

}  // namespace weir::bench
