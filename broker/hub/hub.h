// The channels of this gateway: which are open, for whom, and when the bus is asked for them.
// No sockets, no Redis, no HTTP.
//
// Threads:   the BusListener part runs on the bus thread; everything else may be called from any thread.
// Ownership: a channel lives while a client has it open, for the linger time after the last one, and for as
// long as a
//            --record pattern keeps it.
// Limits:    max_clients places, of them max_clients_per_address for one address; max_connects_per_second;
//            max_channels channels.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker/bus/bus.h"
#include "broker/config.h"
#include "broker/hub/gateway.h"

namespace weir {

class MetricsPage;

class Hub final : public Gateway, public BusListener {
 public:
  // `bus` is set later (the bus needs its listener first); it outlives every call but the destructor.
  Hub(const Config& config, std::uint64_t random);
  ~Hub() override;
  void set_bus(Bus& bus);
  void start();

  // From now on these are the [[channel]] rules: for channels that are opened later; an open one keeps what
  // it was opened with.
  void set_channel_rules(std::vector<ChannelRule> rules);

  std::size_t clients() const;

  // Stops admitting; closes the streams one by one over `duration`, each after what is logged for it was
  // flushed. Then, or as soon as there is none left, `done` is called (on some thread).
  void drain(std::chrono::milliseconds duration, std::function<void()> done);

  // Housekeeping, about once a second: channels whose linger has passed, frames older than history_seconds or
  // past the memory limit.
  void tick(std::chrono::steady_clock::time_point now);
  // Ends the shards; every client still there is closed.
  void stop();

  void collect(MetricsPage& page) const;

  Admission admit(const IpAddress& client) override;
  bool open_stream(StreamRequest request, Place place, int socket) override;
  bool fits(std::string_view channel, std::string_view payload) const override;
  void publish(std::string channel, std::string payload, Bus::PublishDone done) override;
  std::size_t subscribers(std::string_view channel) const override;
  ChannelInfo info(std::string_view channel) const override;
  std::vector<ChannelInfo> channels(std::size_t max) const override;
  std::vector<SlowClient> slowest() const override;
  bool is_draining() const override;
  BusState bus_state() const override;

  void on_message(std::string_view channel, std::string_view payload) override;
  void on_too_large(std::string_view channel) override;
  void on_subscribed(std::string_view channel) override;
  void on_recording(std::string_view pattern) override;
  void on_refused(std::string_view channel, std::string_view why) override;
  void on_lost() override;
  void on_state(bool is_up) override;
  void on_idle() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace weir
