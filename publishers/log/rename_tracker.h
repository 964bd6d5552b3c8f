// Keeps track of files that once had a certain name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>

namespace weir {

// Follows the events of a directory, so that a file renamed before anybody opened it (two rotations in a row)
// is found under its present name. Touches no file. Requires events in the kernel's order.
//
// Threads: one.
// Limits:  kArrivalsMax files. Past it the oldest one is lost.
class RenameTracker {
 public:
  static constexpr std::size_t kArrivalsMax = 1'024;

  // A file that appeared at the name and has not been taken yet.
  struct Arrival {
    std::uint64_t id = 0;
    // Empty once it has left the directory, or while a move is under way (see cookie).
    std::string name;
    std::uint32_t cookie = 0;   // The kernel's number of that move.
    std::uint64_t changes = 0;  // Grows with every event about it.
  };

  explicit RenameTracker(std::string name) : name_(std::move(name)) {}

  void created(const std::string& name);
  void moved_from(const std::string& name, std::uint32_t cookie);
  void moved_to(const std::string& name, std::uint32_t cookie);
  void removed(const std::string& name);
  // Call it when events were missed: nothing is known.
  void forget() { arrivals_.clear(); }

  // Oldest first.
  bool has_arrival() const { return !arrivals_.empty(); }
  const Arrival& first() const { return arrivals_.front(); }
  void take_first() { arrivals_.pop_front(); }
  // How many arrivals have left the directory for good. Starts the count again at 0.
  std::uint64_t take_lost() { return std::exchange(lost_, 0); }

 private:
  Arrival* find(const std::string& name);

  const std::string name_;
  std::deque<Arrival> arrivals_;
  std::uint64_t last_id_ = 0;
  std::uint64_t lost_ = 0;
};

}  // namespace weir
