// The metrics of a publisher program: /metrics on --metrics-listen.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "publishers/delivery/publisher.h"

namespace weir {

// What the Publisher counts, and what only the program's work knows. A program that never sets a number leaves
// it at 0.
//
// Threads:   any.
// Ownership: the publisher outlives it.
class ProgramMetrics {
 public:
  explicit ProgramMetrics(const Publisher& publisher) : publisher_(publisher) {}

  // Bytes of its files that were not read yet.
  void set_behind_bytes(std::uint64_t bytes) { behind_bytes_ = bytes; }
  // Files that are read now.
  void set_files(std::size_t files) { files_ = files; }
  // Messages that the receiver found too large.
  void add_too_large(std::uint64_t messages) { too_large_ += messages; }
  void add_read_errors(std::uint64_t errors) { read_errors_ += errors; }
  // How far it is in a file that is sent, in bytes.
  void set_progress(std::uint64_t done, std::uint64_t total) {
    progress_bytes_ = done;
    size_bytes_ = total;
  }

  // Prometheus' text format.
  std::string text() const;

 private:
  const Publisher& publisher_;
  std::atomic<std::uint64_t> behind_bytes_ = 0;
  std::atomic<std::uint64_t> files_ = 0;
  std::atomic<std::uint64_t> too_large_ = 0;
  std::atomic<std::uint64_t> read_errors_ = 0;
  std::atomic<std::uint64_t> progress_bytes_ = 0;
  std::atomic<std::uint64_t> size_bytes_ = 0;
};

}  // namespace weir
