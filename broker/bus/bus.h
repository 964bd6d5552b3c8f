// Where messages come from and go to: Redis (redis_bus.h), or this process alone (memory_bus.h).
//
// Threads:   subscribe(), unsubscribe(), publish() and state() may be called from any thread and never block.
//            All of the listener's functions and all completions run on the bus thread, one at a time: that
//            is what makes the order of a channel's messages one.
// Ownership: the listener outlives the bus.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

class BusListener {
 public:
  virtual ~BusListener() = default;
  // A message of `channel`, in the order of arrival. `payload` is only valid during the call.
  virtual void on_message(std::string_view channel, std::string_view payload) = 0;
  // A message of `channel` that was larger than BusLimits::message_bytes_max and was thrown away unread.
  virtual void on_too_large(std::string_view channel) = 0;
  // From now on every message of `channel` arrives: the bus has acknowledged the subscription. After a loss
  // it is said again for every channel that is wanted.
  virtual void on_subscribed(std::string_view channel) = 0;
  // The same for a pattern given to record().
  virtual void on_recording(std::string_view pattern) = 0;
  // The bus refuses this subscription for good (Redis ACL: NOPERM); others are not concerned.
  virtual void on_refused(std::string_view channel, std::string_view why) = 0;
  // Nothing arrives until the next on_subscribed() of each channel; what is published meanwhile is lost.
  virtual void on_lost() = 0;
  // Whether messages can arrive at all: the connection that brings them has answered, or is lost. Said at
  // each change, also where nothing is subscribed: down before on_lost(), up before the on_subscribed() of
  // what comes again. A bus that can't be away never says it.
  virtual void on_state(bool is_up) = 0;
  // All that had been read is delivered: the moment to wake others, once for many messages.
  virtual void on_idle() = 0;
};

// Nothing here has a default: the settings have it (broker/config.h).
struct BusLimits {
  // A larger message is refused on its way in, and on its way out it is told as on_too_large().
  std::size_t message_bytes_max;
  // Publishes without an outcome, and the bytes of their payloads. Past either a publish is kUnavailable.
  std::size_t publishes_waiting_max;
  std::size_t publishes_waiting_bytes_max;
};

enum class PublishOutcome {
  kDelivered,    // The bus has it; `receivers` is known.
  kUnavailable,  // The bus is away, or too many publishes wait; nothing was sent.
  kUnknown,      // Sent, but not confirmed in time, or the connection was lost meanwhile.
  kForbidden,  // A rule of the bus about this channel (Redis ACL: NOPERM) forbids it; nothing was delivered.
  kRefused,    // The bus said no for another reason (`detail` says why); nothing was delivered.
};
struct PublishResult {
  PublishOutcome outcome = PublishOutcome::kUnavailable;
  std::uint64_t receivers = 0;  // Subscribers of the bus (gateways), not clients.
  std::string detail;
};

enum class BusKind { kMemory, kRedis };
inline const char* bus_name(BusKind kind) { return kind == BusKind::kRedis ? "redis" : "memory"; }

struct BusState {
  BusKind kind = BusKind::kMemory;
  bool is_connected = true;        // Both connections have answered.
  bool is_receiving = true;        // The one that brings messages has: what on_state() said last.
  bool was_ever_connected = true;  // What /readyz asks.
  std::string why_not = {};        // Where it is not connected: why, in one line, if that is known.
  std::uint64_t wanted = 0;        // Subscriptions asked for (channels and patterns).
  std::uint64_t acknowledged = 0;  // Of these, confirmed on the present connection.
  // Of channels, those that wait to be asked for, are wanted, or were given up and not answered for yet.
  std::uint64_t subscriptions_held = 0;
  std::uint64_t reconnects = 0;  // Times the subscriber connection was lost.
  std::uint64_t publishes_waiting = 0;
};

class Bus {
 public:
  using PublishDone = std::function<void(PublishResult)>;

  virtual ~Bus() = default;

  // Starts the bus thread.
  virtual void start() = 0;
  // Ends it; waiting publishes complete with kUnavailable or kUnknown first. No listener call comes after it
  // returns.
  virtual void stop() = 0;

  // Wants every message of `channel`; on_subscribed() follows. Calls for one channel are not nested:
  // one unsubscribe() ends it, though messages that are on their way still come. A channel that a record()
  // pattern covers is not subscribed twice.
  virtual void subscribe(std::string channel) = 0;
  virtual void unsubscribe(std::string channel) = 0;
  // Wants all channels that match `pattern` (channel_name.h), for as long as the bus lives. Before start()
  // only.
  virtual void record(std::string pattern) = 0;

  // `done` is called once, on the bus thread; it must not block. What is sent completes in the order of the
  // calls; what can't be sent completes at once. After stop() it is called before publish() returns.
  virtual void publish(std::string channel, std::string payload, PublishDone done) = 0;

  virtual BusState state() const = 0;
};

}  // namespace weir
