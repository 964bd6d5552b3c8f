// Standard input as a log that has an end: build | weir-publish-log - --end
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "proto/result.h"
#include "publishers/log/line_format.h"
#include "publishers/log/line_splitter.h"

namespace weir {

// Threads: one. Any other may request a stop.
// Memory:  one read of kReadBytes and one partial line.
class StandardInput {
 public:
  static constexpr std::size_t kReadBytes = 256 << 10;

  // `file` is read and stays the caller's. An empty `make_format` leaves the lines as they are.
  StandardInput(int file, std::size_t line_bytes_max, const MakeLineFormat& make_format);
  ~StandardInput();
  StandardInput(const StandardInput&) = delete;
  StandardInput& operator=(const StandardInput&) = delete;

  // Waits for bytes, the end or a stop, and appends the whole lines that have come; at the end also a last one
  // without LF. False if a stop came first. The error is why it can't be read.
  Result<bool> read(std::vector<Line>& lines, const std::stop_token& stop);
  // Appends what is there already, without waiting.
  void read_rest(std::vector<Line>& lines);
  // The idempotency key of the end.
  std::string end_key() const { return idempotency_key({.life = life_, .offset = read_bytes_}, 0) + ":end"; }
  // True once everything was read.
  bool is_at_end() const { return is_at_end_; }

 private:
  // Returns the bytes of one read, -1 with errno set, or 0 at the end.
  long read_once(std::vector<Line>& lines);
  void take(std::vector<Line> split, std::vector<Line>& lines);

  const int file_;
  const int stop_fd_;  // An eventfd: readable once a stop is requested.
  LineSplitter splitter_;
  std::unique_ptr<LineFormat> format_;
  std::string bytes_;
  std::uint64_t read_bytes_ = 0;
  const std::uint64_t life_;  // FilePosition::life of what it reads.
  bool is_first_ = true;      // No line has come yet.
  bool is_utf16_ = false;
  bool is_at_end_ = false;
};

}  // namespace weir
