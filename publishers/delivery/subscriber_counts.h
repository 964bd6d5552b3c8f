// How many subscribers each channel had when it was last published to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace weir {

// Threads: one.
// Limits:  kChannelsMax; past them the channel that was published to longest ago is forgotten.
class SubscriberCounts {
 public:
  static constexpr std::size_t kChannelsMax = 1'024;

  // The number that is to come back after a reconnect: 0 if none is known, or if settle() was called for this
  // connection.
  long long awaited(const std::string& name) const;
  // Nothing is awaited for `name` until the next reconnect().
  void settle(const std::string& name);
  void set(const std::string& name, long long subscribers);
  void reconnect() { ++connection_; }

 private:
  struct Channel {
    long long subscribers = 0;
    std::uint64_t connection = 0;  // The one on which the number is settled.
    std::uint64_t used_at = 0;
  };

  std::map<std::string, Channel> channels_;
  std::uint64_t connection_ = 0;
  std::uint64_t uses_ = 0;
};

}  // namespace weir
