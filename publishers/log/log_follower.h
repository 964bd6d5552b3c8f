// Follows the files of weir-publish-log and publishes their lines, a window at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "publishers/log/file_set.h"
#include "publishers/log/line_publisher.h"
#include "publishers/log/state_file.h"
#include "publishers/log/tailer.h"
#include "publishers/log/watcher.h"
#include "publishers/program/program.h"

namespace weir {

// Takes the files in turn, a window from each that has one, so that none waits for another's backlog. While
// Redis works on one window the next is read.
//
// Threads: one. Reads nothing while it can't publish.
class LogFollower {
 public:
  using Clock = std::chrono::steady_clock;

  struct Options {
    std::vector<std::string> files;  // Paths and patterns.
    std::size_t files_max;
    std::uint64_t rate;  // Bytes of messages per second; 0: no limit.
    Watcher::Options watch;
    Tailer::Options tailing;
    bool follow = true;  // False: ends once every file was read to its end.
    bool end = false;    // Publish the end of the channels when done, stopped, or their file is gone.
    bool passes_json = false;
    // Messages of unknown outcome are to be published again: after a stop that is the next start's to do.
    bool repeats_unknown = true;
  };

  // `state` may be nullptr.
  LogFollower(Options options, StateFile* state, const Work& work);
  ~LogFollower();

  // Returns when a stop was requested and what was read has been published, when all files were read
  // (`follow` is false), or when it can't go on.
  WorkResult run();

 private:
  struct File;
  struct Window;

  void look_for_files();
  void add_file(const std::string& path, std::vector<FilePosition> resume);
  // True for a path that was given as it is, and not by a pattern.
  bool is_named(const std::string& path) const;
  void drop_gone_files();
  // What is due each second: new files, the state, the metrics, how far behind it is.
  void tick();
  void count_read_errors();
  void report_behind(Clock::time_point now);
  // False, with the first reason in the log, if a file can't be read and no later try will come.
  bool can_read_all() const;

  // Appends the next window to pending_ if a file has one.
  void read_next();
  bool has_more() const;
  std::vector<Line> read(File& file);
  Window make_window(File& file, std::vector<Line> lines) const;
  // Has the state know the files of a window that it does not know yet, before the first line of them is published:
  // the idempotency keys are made of their lives.
  void note_lives(const Window& window);
  // The idempotency key of a channel's end, from how far its files were read.
  std::string end_key(const std::string& channel);
  // Publishes the first pending window, and removes it if all of it is settled.
  Publisher::Ending publish_first(const std::stop_token& stop);
  Publisher::Ending publish_all();
  // After a stop: publishes what was read, and some of what the files still hold. False if more is left.
  bool publish_last();
  bool publish_ends(const std::stop_token& stop);
  std::uint64_t behind_bytes() const;

  const Options options_;
  StateFile* const state_;
  const Work& work_;
  LinePublisher publisher_;
  const bool has_earlier_state_;
  Watcher watcher_;
  std::vector<std::unique_ptr<File>> files_;
  FileSet file_set_;
  std::size_t turn_ = 0;        // The file to ask first.
  std::deque<Window> pending_;  // Read and not settled: at most two.
  Clock::time_point ticked_at_{};
  Clock::time_point reported_at_{};
  bool is_behind_ = false;
  bool is_stopping_ = false;
  bool is_state_final_ = false;  // A stop left messages behind whose outcome is unknown.
};

}  // namespace weir
